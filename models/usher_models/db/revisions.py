"""Which version of the schema `usher` a database has, and which one this program needs."""

from functools import cache

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, for migrations on that connection."""
    made = Config()
    made.set_main_option("script_location", "usher_models.db:migrations")
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


@cache
def head() -> str:
    """The revision that this program needs."""
    found = ScriptDirectory.from_config(config()).get_current_head()
    assert found is not None  # noqa: S101 - there are migrations
    return found


@cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in ScriptDirectory.from_config(config()).walk_revisions())


def current(connection: Connection) -> str | None:
    """The revision of the database; None without the schema. Raises what the database refuses."""
    context = MigrationContext.configure(connection, opts={"version_table_schema": "usher"})
    return context.get_current_revision()


def is_newer(revision: str | None) -> bool:
    """True if a newer version made the schema, which this one then leaves as it is.

    So that the program can be rolled back without the data: a version only adds to the schema of the one before, and
    removes one version later what the last one needs no more.
    """
    return revision is not None and revision not in _known()


def behind(revision: str | None) -> str | None:
    """The sentence for a schema that this program cannot use; None if it can."""
    if revision == head() or is_newer(revision):
        return None
    return f"The schema usher is at {revision or 'nothing'}, not at {head()}: run `usher db upgrade`."
