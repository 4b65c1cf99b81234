"""What every session of Usher's sets itself, instead of relying on the server, the database, the role or a pooler.

Settings that a version of Postgres does not know are left out. Where a pooler lends a session for one transaction only,
they are set for that transaction; else once, for as long as the session lives. The statement also says whether the
server can write.

Not set is what an administrator decides for good reasons, above all `default_transaction_read_only`: a server that is
made read-only counts as away.
"""

from collections.abc import Mapping

from sqlalchemy import TextClause, text

STATEMENT_TIMEOUT_MS = 30_000
# A row that another session keeps locked must not hold one of the pool's connections for longer.
LOCK_TIMEOUT_MS = 2_000
# An abandoned transaction must not hold a user's row lock for longer than a bot's retry takes.
IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000

SETTINGS: Mapping[str, str] = {
    # A count under the user's row lock is right only if the statement after the lock sees what was committed before it.
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    # Vexa's tables are in `public`. pg_catalog comes first by itself, and a temporary table comes last. A schema named
    # after the role ("$user") would otherwise catch them.
    "search_path": "public, pg_temp",
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
    # The pool keeps idle sessions; a transaction is bounded by its statements and its pauses.
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    "standard_conforming_strings": "on",
    "extra_float_digits": "1",
    "array_nulls": "on",
    "transform_null_equals": "off",
    # Every statement is short and repeated: compiling one costs more than running it.
    "jit": "off",
    "plan_cache_mode": "auto",
    # A process whose node lost its power leaves a session, and maybe a lock, which the server must notice.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}

READ_ONLY = "pg_catalog.pg_is_in_recovery() OR pg_catalog.current_setting('transaction_read_only')::boolean"


def set_up(*, local: bool, lock_timeout_ms: int = LOCK_TIMEOUT_MS) -> str:
    """The statement that sets everything, for the transaction only or for as long as the session lives."""
    wanted = {**SETTINGS, "lock_timeout": str(lock_timeout_ms)}
    values = ", ".join(f"('{name}', '{value}')" for name, value in wanted.items())
    # The condition lies below the call: a setting that the server does not know must not be set.
    return (
        f"SELECT {READ_ONLY} AS read_only, pg_catalog.pg_backend_pid() AS pid,"
        f" count(pg_catalog.set_config(known.name, known.value, {str(local).lower()})) AS set"
        f" FROM (SELECT * FROM (VALUES {values}) AS wanted (name, value)"
        " WHERE pg_catalog.current_setting(wanted.name, true) IS NOT NULL OFFSET 0) AS known"
    )


CAN_WRITE: TextClause = text(f"SELECT NOT ({READ_ONLY}) AS can_write")
