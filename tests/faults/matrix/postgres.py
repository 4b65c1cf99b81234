"""Postgres: the way to it, and the server itself, which is killed."""

from tests.faults.matrix.outage import Server, both
from tests.faults.rig.ground import Ground


def of(ground: Ground) -> Server:
    """The Postgres of a ground."""
    stores = ground.stores
    return Server(proxies=both(ground, "postgres"), kill=stores.kill_postgres, start=stores.start_postgres)
