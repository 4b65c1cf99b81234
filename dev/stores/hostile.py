"""A role whose settings are legal and hostile: whatever Usher relies on and does not set itself breaks under it."""

from dev.machine.commands import run
from dev.stores.settings import HOST, Settings

ROLE = "hostile"

SETTINGS = {
    "default_transaction_isolation": "repeatable read",
    "default_transaction_deferrable": "on",
    "timezone": "Asia/Kolkata",
    "datestyle": "German, DMY",
    "intervalstyle": "iso_8601",
    "search_path": "usher, nowhere",
    "client_encoding": "LATIN1",
    "work_mem": "64kB",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "extra_float_digits": "-15",
    "plan_cache_mode": "force_generic_plan",
    "lock_timeout": "50ms",
    "statement_timeout": "20s",
    "idle_in_transaction_session_timeout": "10s",
    "idle_session_timeout": "20s",
    "synchronous_commit": "off",
    "row_security": "off",
    "bytea_output": "escape",
    "xmloption": "document",
}


def prepare(settings: Settings) -> None:
    """Create the role, and give it its settings anew."""
    psql = [str(settings.postgres_bin / "psql"), "-h", HOST, "-p", str(settings.postgres_port), "-U", settings.user]
    query = f"SELECT count(*) FROM pg_roles WHERE rolname = '{ROLE}'"
    if run([*psql, "-d", "postgres", "-Atc", query]).strip() == "0":
        run([*psql, "-d", "postgres", "-c", f"CREATE ROLE {ROLE} LOGIN SUPERUSER"])
    given = "; ".join(f"ALTER ROLE {ROLE} SET {name} = {_literal(name, value)}" for name, value in SETTINGS.items())
    run([*psql, "-d", "postgres", "-c", given])


def _literal(name: str, value: str) -> str:
    # A path is a list of names; as one string it would be one name.
    return value if name == "search_path" else f"'{value}'"
