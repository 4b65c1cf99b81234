"""Alembic's environment for the schema `usher`."""
