"""`usher db check`: what keeps Usher from running on a database, and what a person should know about it."""

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import privileges, revisions
from usher_models.db.connecting import Pooler
from usher_models.db.engine import Database
from usher_models.db.installation import installation_id
from usher_models.db.legacy_meetings import live_legacy_meetings
from usher_models.db.session import SETTINGS
from usher_models.db.upgrade import foreign_schema, unusable_encoding
from usher_models.db.vexa_tables import ACTIVE_MEETING_INDEX, REQUIRED_COLUMNS, SCHEMA
from usher_models.errors import DatabaseNotReady

OLDEST_SERVER = 13

_VERSION = text("SELECT current_setting('server_version_num')::integer / 10000")
_ELSEWHERE = text(
    "SELECT table_schema FROM information_schema.tables WHERE table_name = :name"
    " AND table_schema NOT IN ('public', 'pg_catalog', 'information_schema') ORDER BY 1 LIMIT 1"
)
_NO_SEQUENCE = text("SELECT usher.meeting_id_sequence() IS NULL")
_IN_FORCE = text("SELECT name, current_setting(name, true) AS value FROM unnest(CAST(:names AS text[])) AS t (name)")
_OVERRIDES = text("""
SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value,
       CASE WHEN s.setrole = 0 THEN 'database' ELSE 'role' END AS whose
FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS setting
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
ORDER BY 1
""")
_NO_BOTS = text("SELECT email, count(*) OVER () AS users FROM users WHERE max_concurrent_bots = 0 ORDER BY id LIMIT 5")
_INDEX = text("SELECT count(*) FROM pg_indexes WHERE indexname = :name")
_ENCODING = text("SELECT current_setting('server_encoding')")
_PID = text("SELECT pg_backend_pid()")
_READY = text(
    "SELECT version_num AS revision, (SELECT string_agg(name, ', ') FROM unnest(CAST(:tables AS text[])) AS t (name)"
    " WHERE to_regclass('public.' || name) IS NULL) AS missing FROM usher.alembic_version"
)


async def require_ready(database: Database) -> None:
    """Raise DatabaseUnavailable unless the database answers, accepts writes and has the schema of this version."""
    await database.ping()
    async with database.reading() as connection:
        found = (await connection.execute(_READY, {"tables": sorted(REQUIRED_COLUMNS)})).one_or_none()
    problem = revisions.behind(found.revision if found else None)
    if problem is None and found and found.missing:
        problem = f"The tables {found.missing} are missing: run `usher db upgrade`."
    if problem:
        raise DatabaseNotReady(problem)


async def check(database: Database) -> list[str]:
    """What keeps Usher from running on this database, a sentence each; empty if nothing does.

    Raises DatabaseUnavailable, and DatabaseForbids if the role may not even look.
    """
    async with database.transaction() as connection:
        problems = await connection.run_sync(_check)
    return problems + await _pooler(database, complete=not problems)


def _check(connection: Connection) -> list[str]:
    tables = _tables(connection)
    problems = [*_server(connection), *tables]
    own = foreign_schema(connection)
    revision = None
    if own is None and "usher" in inspect(connection).get_schema_names():
        revision = revisions.current(connection)
    behind = own or revisions.behind(revision)
    if behind or tables:
        problems += [behind] if behind else []
    else:
        problems += _sequence(connection)
    return problems + privileges.lacking(connection) + _session(connection)


def _server(connection: Connection) -> list[str]:
    version, encoding = connection.scalar(_VERSION), unusable_encoding(connection)
    old = [f"Postgres {version} is too old: Usher needs {OLDEST_SERVER} or newer."] if version < OLDEST_SERVER else []
    return old + ([encoding] if encoding else [])


def _tables(connection: Connection) -> list[str]:
    inspector = inspect(connection)
    tables = set(inspector.get_table_names(schema=SCHEMA))
    problems = [_missing(connection, name) for name in REQUIRED_COLUMNS if name not in tables]
    for name in REQUIRED_COLUMNS.keys() & tables:
        lacking = REQUIRED_COLUMNS[name] - {column["name"] for column in inspector.get_columns(name, schema=SCHEMA)}
        problems += [f"The table {name} has no column {column}: it is no Vexa database." for column in sorted(lacking)]
    return problems


def _missing(connection: Connection, name: str) -> str:
    elsewhere = connection.scalar(_ELSEWHERE, {"name": name})
    if elsewhere is None:
        return f"The table {name} is missing: run `usher db upgrade`."
    return f"The table {name} is in the schema {elsewhere}; Usher looks for it in the schema public: move it there."


def _sequence(connection: Connection) -> list[str]:
    if not connection.scalar(_NO_SEQUENCE):
        return []
    return ["The column meetings.id takes its values from no sequence: give it a default of nextval(…)."]


def _session(connection: Connection) -> list[str]:
    """Settings that a pooler or the server did not take from Usher."""
    in_force = connection.execute(_IN_FORCE, {"names": sorted(SETTINGS)})
    found = {row.name: row.value for row in in_force if row.value is not None}
    return [
        f"The session has {name} = {found[name]} although Usher sets {wanted}: something prevents it."
        for name, wanted in SETTINGS.items()
        if name in found and name in _COMPARED and found[name].lower() != wanted.lower()
    ]


# The server tells the others in another unit than they are set in.
_COMPARED = frozenset({"default_transaction_isolation", "timezone", "datestyle", "intervalstyle", "search_path"})


async def _pooler(database: Database, *, complete: bool) -> list[str]:
    if database.pooler is Pooler.SESSION and await _shares_sessions(database):
        return [
            "The pooler gives one session to two clients: it is in transaction mode. Set USHER_DATABASE_POOLER to"
            " transaction, and USHER_DATABASE_SESSION_URL to the URL of Postgres itself."
        ]
    if database.pooler is Pooler.TRANSACTION and complete and not await _is_same_database(database):
        return ["USHER_DATABASE_SESSION_URL and USHER_DATABASE_URL lead to two different databases."]
    return []


async def _shares_sessions(database: Database) -> bool:
    async with database.reading() as first, database.reading() as second:
        return bool(await first.scalar(_PID) == await second.scalar(_PID))


async def _is_same_database(database: Database) -> bool:
    session = await database.session()
    try:
        async with database.reading() as connection:
            return await installation_id(connection) == await installation_id(session)
    finally:
        await session.close()


async def describe(database: Database) -> list[str]:
    """What a person should know about an adopted database, a sentence each."""
    async with database.transaction() as connection:
        legacy = len(await live_legacy_meetings(connection, idle_s=0))
        index = await connection.scalar(_INDEX, {"name": ACTIVE_MEETING_INDEX})
        return [
            f"{legacy} live rows of an older deployment count against their users' limits"
            f"{'; usher adopt-legacy shows them, and ends those whose bots are gone.' if legacy else '.'}",
            *await _without_bots(connection),
            f"The unique index on live meetings is {'present' if index else 'absent'}; Usher works with either.",
            *await _encoding(connection),
            *await _overrides(connection),
        ]


async def _without_bots(connection: AsyncConnection) -> list[str]:
    """Users whose limit Usher takes for none at all, and several versions of Vexa took for unlimited."""
    found = (await connection.execute(_NO_BOTS)).all()
    if not found:
        return []
    users, names = found[0].users, ", ".join(row.email for row in found)
    return [
        f"{users} users have the limit 0 and may have no bot; some versions of Vexa took it for unlimited"
        f" ({names}{', …' if users > len(found) else ''})."
    ]


async def _encoding(connection: AsyncConnection) -> list[str]:
    encoding = await connection.scalar(_ENCODING)
    if encoding == "UTF8":
        return []
    return [f"The database's encoding is {encoding}: names with other characters than it has are refused."]


async def _overrides(connection: AsyncConnection) -> list[str]:
    """What the role or the database sets, and Usher's sessions set otherwise."""
    rows = [row for row in await connection.execute(_OVERRIDES) if row.name.lower() in SETTINGS]
    return [
        f"The {row.whose} sets {row.name} = {row.value}; Usher's sessions use {SETTINGS[row.name.lower()]}."
        for row in rows
        if row.value != SETTINGS[row.name.lower()]
    ]
