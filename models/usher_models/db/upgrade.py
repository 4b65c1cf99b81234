"""`usher db upgrade`: adopt an existing database, or fill an empty one.

Existing tables are never altered. Vexa's are created in the schema `public` if they are missing there, and Usher's own
in the schema `usher`: `DROP SCHEMA usher CASCADE` removes them and nothing else. Two upgrades at once (several pods
starting) are serialised by an advisory lock. `operate` and `serve` never upgrade by themselves: an empty database in
place of the right one must not pass for it.
"""

from alembic import command
from sqlalchemy import Connection, inspect, text

from usher_models.db import revisions
from usher_models.db.engine import Database, waiting_for_answers
from usher_models.db.leader_lock import UPGRADE_LOCK
from usher_models.db.vexa_tables import SCHEMA, vexa
from usher_models.errors import DatabaseUnfit

# Another upgrade may create an index on a large table meanwhile.
LONGEST_S = 600
_WAIT = text(f"SELECT set_config('lock_timeout', '300s', true), set_config('statement_timeout', '{LONGEST_S}s', true)")
_ENCODING = text("SELECT current_setting('server_encoding')")


async def upgrade(database: Database) -> list[str]:
    """Create what is missing; returns a sentence for each thing done.

    Raises DatabaseUnavailable; DatabaseForbids if the role may not create what is missing; DatabaseUnfit if the
    database cannot be used as it is.
    """
    async with database.transaction() as connection, waiting_for_answers(connection, LONGEST_S):
        return await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> list[str]:
    connection.execute(_WAIT)
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
    for problem in (unusable_encoding(connection), foreign_schema(connection)):
        if problem:
            raise DatabaseUnfit(problem)
    before = set(inspect(connection).get_table_names(schema=SCHEMA))
    missing = [table for table in vexa.tables.values() if table.name not in before]
    vexa.create_all(connection, tables=missing)
    # IF NOT EXISTS asks for the privilege even where nothing is left to create.
    if "usher" not in inspect(connection).get_schema_names():
        connection.execute(text("CREATE SCHEMA usher"))
    old = revisions.current(connection)
    if revisions.is_newer(old):
        return [f"Nothing to do: the schema usher is at {old}, which a newer version made and this one can use."]
    command.upgrade(revisions.config(connection), "head")
    new = revisions.current(connection)
    done = [f"Created the table {table.name}." for table in missing]
    if old != new:
        done.append(f"Brought the schema usher from {old or 'nothing'} to {new}.")
    return done or ["Nothing to do: the database is up to date."]


def unusable_encoding(connection: Connection) -> str | None:
    """The sentence for a database that stores text without knowing its encoding; None for any other."""
    if connection.scalar(_ENCODING) != "SQL_ASCII":
        return None
    return "The database's encoding is SQL_ASCII, which stores bytes and not text: create it with ENCODING 'UTF8'."


def foreign_schema(connection: Connection) -> str | None:
    """The sentence for a schema `usher` that another program made; None for an empty one or Usher's own."""
    tables = inspect(connection).get_table_names(schema="usher")
    if not tables or "alembic_version" in tables:
        return None
    names = ", ".join(sorted(tables)[:5])
    return (
        f"The schema usher holds tables that are not Usher's ({names}): Usher needs a schema of that name for itself,"
        " which a rollback drops."
    )
