"""Postgres: the way to it, and the server itself, which is killed."""

from tests.faults.harness.installation import Installation
from tests.faults.matrix.outage import Server, both


def of(installation: Installation) -> Server:
    """The Postgres of an installation."""
    stores = installation.stores
    return Server(proxies=both(installation, "postgres"), kill=stores.kill_postgres, start=stores.start_postgres)
