"""The public API over real HTTP on a real database, with Kubernetes in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from pydantic import SecretStr

from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import some_settings
from tests.integration.operator.api.client import ADMIN_KEY, GATEWAY_SECRET, Client, key_of
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario, User
from usher_models.db.engine import Database
from usher_operator.processes.serve import public_api

Http = TestClient[Request, Application]


@pytest.fixture
async def http(database: Database, kube: FakeKube, publisher: RecordingPublisher) -> AsyncIterator[Http]:
    """A running server, without any key."""
    settings = some_settings(admin_api_key=SecretStr(ADMIN_KEY), gateway_secret=SecretStr(GATEWAY_SECRET))
    app = public_api(settings, database=database, publisher=publisher, kube=kube)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
async def plane(plane: Plane) -> AsyncIterator[Plane]:
    """One `usher operate`, which lets go of its lock at the end."""
    yield plane
    await plane.reconciler._lock.release()


@pytest.fixture
def admin(http: Http) -> Client:
    """The operator of this installation."""
    return Client(http, {"X-Admin-API-Key": ADMIN_KEY})


@pytest.fixture
def as_user(http: Http, given: Scenario) -> Callable[[User], Awaitable[Client]]:
    """A client with a key of that user."""

    async def client(user: User) -> Client:
        return Client(http, {"X-API-Key": await key_of(given, user)})

    return client


@pytest.fixture
async def user(given: Scenario) -> User:
    return await given.a_user(cap=3)


@pytest.fixture
async def me(user: User, as_user: Callable[[User], Awaitable[Client]]) -> Client:
    """A client of `user`, who may have three bots."""
    return await as_user(user)
