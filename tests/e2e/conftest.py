"""Usher on a real cluster for every test here: the API server, Postgres, Redis and the bots' pods are all real.

Deadlines of waits are generous, because the machine may be busy; what the design promises is asserted where it is
promised, by the clocks of the database and of the bots.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from dev.demo.installation import install
from dev.demo.kubectl import Kubectl
from dev.machine.locking import exclusive
from dev.machine.progress import Progress
from tests.e2e.kit import Cluster, User, eventually

HERE = Path(__file__).parent
LOCK = Path(os.environ.get("USHER_CACHE", Path.home() / ".cache/usher")) / "e2e.lock"
TIMEOUT_S = 180


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test here its time; building a cluster, which the first one may have to wait for, is not in it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S, func_only=True))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Bring up the cluster with Usher from this checkout, for this run alone: once, before any worker looks for it."""
    config = session.config
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    progress = Progress()
    # The first time takes a quarter of an hour; nobody should have to wonder.
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(file=sys.stderr)  # noqa: T201
        this_run = ExitStack()
        config.add_cleanup(this_run.close)
        this_run.enter_context(exclusive(LOCK, progress=progress))
        Cluster(install(progress), run="").tidy_all()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster with Usher, as one worker sees it: what it makes bears its own names."""
    cluster = Cluster(Kubectl(), run=uuid4().hex[:6])
    yield cluster
    cluster.tidy()
    eventually("nothing to be left of all the bots of this run", lambda: not cluster.leftovers())


@pytest.fixture(scope="module")
def user(cluster: Cluster) -> User:
    """A user with room for every bot of a module."""
    return cluster.a_user(cap=50)
