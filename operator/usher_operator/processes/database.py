"""Opens the database of the settings."""

from usher_models.db.connecting import Pooler
from usher_models.db.engine import Database
from usher_operator.settings import DatabaseSettings

# One for the batch of heartbeats, of which there is one at a time, and one for the heartbeat of the replica.
HEARTBEAT_POOL_SIZE = 2


def open_database(settings: DatabaseSettings, *, name: str, pool_size: int) -> Database:
    """A pool of at most `pool_size` connections, which Postgres lists as `name`; connects lazily."""
    return Database.connect(
        settings.database_url.get_secret_value(),
        pool_size=pool_size,
        application_name=name,
        pooler=Pooler(settings.database_pooler),
        session_url=settings.database_session_url.get_secret_value(),
    )
