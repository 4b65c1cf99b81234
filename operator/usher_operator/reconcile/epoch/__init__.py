"""Knowing that the database went back in time, by a record that is kept outside it."""
