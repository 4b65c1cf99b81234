"""Redis: the way to it, and the server itself, which is killed. Bots reach it all the time, until it is killed."""

from tests.faults.harness.installation import Installation
from tests.faults.matrix.outage import Server, both


def of(installation: Installation) -> Server:
    """The Redis of an installation."""
    stores = installation.stores
    return Server(proxies=both(installation, "redis"), kill=stores.kill_redis, start=stores.start_redis)
