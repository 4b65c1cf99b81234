"""Runs the migrations on the connection that `usher_models.db.upgrade` hands over; never on one of its own."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table_schema="usher", version_table="alembic_version")
with context.begin_transaction():
    context.run_migrations()
