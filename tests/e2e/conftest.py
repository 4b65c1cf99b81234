"""Usher on a real cluster for every test here: the API server, Postgres, Redis and the bots' pods are all real.

Deadlines of waits are generous, because the machine may be busy; what the design promises is asserted where it is
promised, by the clocks of the database and of the bots.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from dev.demo.installation import install
from dev.machine.locking import exclusive
from dev.machine.progress import Progress
from tests.e2e.kit import Cluster, User

HERE = Path(__file__).parent
LOCK = Path(os.environ.get("USHER_CACHE", Path.home() / ".cache/usher")) / "e2e.lock"
TIMEOUT_S = 180


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test here its time; building a cluster, which the first one may have to wait for, is not in it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S, func_only=True))


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The cluster with Usher from this checkout, for this run alone, because some tests take parts of Usher away."""
    progress = Progress()
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with exclusive(LOCK, progress=progress):
        # The first time takes a quarter of an hour; nobody should have to wonder.
        with capture.global_and_fixture_disabled():
            print(file=sys.stderr)  # noqa: T201
            kubectl = install(progress)
        cluster = Cluster(kubectl, run=uuid4().hex[:6])
        cluster.tidy()
        yield cluster
        cluster.tidy()


@pytest.fixture(scope="module")
def user(cluster: Cluster) -> User:
    """A user with room for every bot of a module."""
    return cluster.a_user(cap=50)
