"""The control plane on real stores, with Kubernetes in memory and time that stands still."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis
from redis.exceptions import RedisError

from dev.stores.settings import load
from tests.databases import admin_dsn, open_database
from tests.fakes.clock import FakeClock
from tests.fakes.epoch import EPOCH
from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import some_settings
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario
from usher_models.db.engine import Database

REPOSITORY = Path(__file__).resolve().parents[3]

# Nobody listens on port 1.
NOWHERE = "postgresql+psycopg://usher@127.0.0.1:1/nowhere"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def kube() -> FakeKube:
    kube = FakeKube()
    kube.config_maps[EPOCH] = {"metadata": {"name": EPOCH[1], "resourceVersion": "1"}}
    return kube


@pytest.fixture
def publisher() -> RecordingPublisher:
    return RecordingPublisher()


@pytest.fixture
async def plane(
    given: Scenario, kube: FakeKube, publisher: RecordingPublisher, clock: FakeClock
) -> AsyncIterator[Plane]:
    """Everything that `usher operate` is made of, with short names.

    Most tests have a bot or two, and ask what happens to one that is stale; small fleets are protected elsewhere.
    """
    settings = some_settings(brownout_small_fleet_s=0)
    plane = Plane(given=given, kube=kube, publisher=publisher, clock=clock, settings=settings)
    yield plane
    await plane.close()


@pytest.fixture
async def another_database(database_url: str) -> AsyncIterator[Database]:
    """The test's database as a second process sees it."""
    database = open_database(database_url, pool_size=4, application_name="usher-second")
    yield database
    await database.close()


@pytest.fixture
async def no_database() -> AsyncIterator[Database]:
    """A database that is away."""
    database = Database.connect(NOWHERE)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A real Redis, started when it does not answer."""
    url = os.environ.get("USHER_TEST_REDIS_URL", load().redis_url)
    with Redis.from_url(url) as redis:
        try:
            redis.ping()
        except RedisError:
            subprocess.run(
                [sys.executable, "-m", "dev.stores", "up"],
                cwd=REPOSITORY,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
                check=True,
            )
            redis.ping()
    return url


@pytest.fixture
def own_meeting_ids(database_url: str) -> None:
    """Meeting ids that no other run has: channels of Redis are shared, and named after them."""
    with psycopg.connect(admin_dsn(database_url), autocommit=True) as connection:
        connection.execute(
            "SELECT setval(pg_get_serial_sequence('meetings', 'id'), 1000000 + (random() * 2000000000)::integer)"
        )
