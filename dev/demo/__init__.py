"""Usher on the development cluster: installing it there, and showing what it does."""
