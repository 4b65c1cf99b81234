"""`usher db upgrade` and `usher db check`: adopt an existing database, or fill an empty one.

Existing tables are never altered. Usher's own lie in the schema `usher`; `DROP SCHEMA usher CASCADE` takes all of it
back. Two upgrades at once (several pods starting) are serialised by an advisory lock.
"""

from collections.abc import Callable

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import ProgrammingError

from usher_models.db.engine import Database
from usher_models.db.leader_lock import UPGRADE_LOCK
from usher_models.db.vexa_tables import ACTIVE_MEETING_INDEX, REQUIRED_COLUMNS, vexa
from usher_models.errors import DatabaseForbids
from usher_models.states import LEGACY_LIVE

INSUFFICIENT_PRIVILEGE = "42501"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "usher_models.db:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


async def upgrade(database: Database) -> list[str]:
    """Create what is missing; returns a sentence for each thing done.

    Raises DatabaseUnavailable, or DatabaseForbids when the role may not create what is missing.
    """
    return await _permitted(database, _upgrade)


async def _permitted(database: Database, work: Callable[[Connection], list[str]]) -> list[str]:
    try:
        async with database.transaction() as connection:
            return await connection.run_sync(work)
    except ProgrammingError as exc:
        if getattr(exc.orig, "sqlstate", None) == INSUFFICIENT_PRIVILEGE:
            raise DatabaseForbids(f"The database role lacks a privilege: {str(exc.orig).splitlines()[0]}.") from exc
        raise


def _upgrade(connection: Connection) -> list[str]:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
    before = set(inspect(connection).get_table_names())
    missing = [name for name in vexa.tables if name not in before]
    vexa.create_all(connection, tables=[vexa.tables[name] for name in missing])
    # IF NOT EXISTS asks for the privilege even where nothing is left to create.
    if "usher" not in inspect(connection).get_schema_names():
        connection.execute(text("CREATE SCHEMA usher"))
    old = _revision(connection)
    if _is_newer(old):
        return [f"Nothing to do: the schema usher is at {old}, which a newer version made and this one can use."]
    command.upgrade(_config(connection), "head")
    new = _revision(connection)
    done = [f"Created the table {name}." for name in missing]
    if old != new:
        done.append(f"Brought the schema usher from {old or 'nothing'} to {new}.")
    return done or ["Nothing to do: the database is up to date."]


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table_schema": "usher"})
    return context.get_current_revision()


def _is_newer(revision: str | None) -> bool:
    """Whether a newer version made the schema, which this one then leaves as it is.

    So that the program can be rolled back without the data: a version only adds to the schema of the one before, and
    what the last one needs no more goes a version later.
    """
    if revision is None:
        return False
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    return revision not in known


async def check(database: Database) -> list[str]:
    """What keeps Usher from running on this database, a sentence each; empty when nothing does.

    Raises DatabaseUnavailable, or DatabaseForbids when the role may not even look.
    """
    return await _permitted(database, _check)


def _check(connection: Connection) -> list[str]:
    inspector = inspect(connection)
    tables = set(inspector.get_table_names())
    problems = [
        f"The table {name} is missing: run `usher db upgrade`." for name in REQUIRED_COLUMNS if name not in tables
    ]
    for name in REQUIRED_COLUMNS.keys() & tables:
        lacking = REQUIRED_COLUMNS[name] - {column["name"] for column in inspector.get_columns(name)}
        problems += [f"The table {name} has no column {column}: it is no Vexa database." for column in sorted(lacking)]
    head = ScriptDirectory.from_config(_config()).get_current_head()
    found = _revision(connection) if "usher" in inspector.get_schema_names() else None
    if found != head and not _is_newer(found):
        problems.append(f"The schema usher is at {found or 'nothing'}, not at {head}: run `usher db upgrade`.")
    return problems


async def describe(database: Database) -> list[str]:
    """What a person should know about an adopted database, a sentence each."""
    async with database.transaction() as connection:
        legacy = await connection.scalar(
            text(
                "SELECT count(*) FROM meetings m WHERE status = ANY(:live)"
                " AND NOT EXISTS (SELECT FROM usher.bots b WHERE b.meeting_id = m.id)"
            ),
            {"live": sorted(LEGACY_LIVE)},
        )
        index = await connection.scalar(
            text("SELECT count(*) FROM pg_indexes WHERE indexname = :name"), {"name": ACTIVE_MEETING_INDEX}
        )
        return [
            f"{legacy} live rows of an older deployment count against their users' limits and are never written.",
            f"The unique index on live meetings is {'present' if index else 'absent'}; Usher works with either.",
        ]
