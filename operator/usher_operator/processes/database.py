"""Opens the database of the settings, and divides the connections of a process."""

from dataclasses import dataclass

from usher_models.db.connecting import Pooler
from usher_models.db.engine import Database
from usher_operator.settings import DatabaseSettings

# One for the batch of heartbeats, of which there is one at a time, and one for the heartbeat of the replica.
HEARTBEATS = 2
# Of the rest of a `serve`, for the other callbacks; and of an `operate`, for the reconciler and the status writer.
CALLBACKS_SHARE = 3 / 8
RECONCILER_SHARE = 3 / 10


@dataclass(frozen=True, kw_only=True)
class ServePools:
    """How the connections of one `serve` are divided: users' requests cannot take those of the callbacks."""

    requests: int
    callbacks: int
    heartbeats: int

    @classmethod
    def of(cls, size: int) -> "ServePools":
        """The division of `size` connections."""
        callbacks = max(1, int((size - HEARTBEATS) * CALLBACKS_SHARE))
        return cls(requests=size - HEARTBEATS - callbacks, callbacks=callbacks, heartbeats=HEARTBEATS)


@dataclass(frozen=True, kw_only=True)
class OperatePools:
    """How the connections of one `operate` are divided: what holds up the watch does not hold up the reconciler."""

    watch: int
    reconciler: int

    @classmethod
    def of(cls, size: int) -> "OperatePools":
        """The division of `size` connections; one of the reconciler's is the leader's session."""
        reconciler = max(2, int(size * RECONCILER_SHARE))
        return cls(watch=size - reconciler, reconciler=reconciler)


def open_database(settings: DatabaseSettings, *, name: str, pool_size: int) -> Database:
    """A pool of at most `pool_size` connections, which Postgres lists as `name`; connects lazily."""
    return Database.connect(
        settings.database_url.get_secret_value(),
        pool_size=pool_size,
        application_name=name,
        pooler=Pooler(settings.database_pooler),
        session_url=settings.database_session_url.get_secret_value(),
    )
