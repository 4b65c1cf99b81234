"""Redis: the way to it, and the server itself, which is killed. Bots reach it all the time, until it is killed."""

from tests.faults.matrix.outage import Server, both
from tests.faults.rig.ground import Ground


def of(ground: Ground) -> Server:
    """The Redis of a ground."""
    stores = ground.stores
    return Server(proxies=both(ground, "redis"), kill=stores.kill_redis, start=stores.start_redis)
