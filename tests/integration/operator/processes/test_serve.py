"""`usher serve` as a process: it starts without an API server, and no tenant takes what the others need."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr
from sqlalchemy import text

from tests.databases import HOSTILE, pooled_url
from tests.fakes.settings import some_settings
from tests.fakes.tokens import AUDIENCE, ISSUER, SERVICE_ACCOUNT, TokenIssuer
from tests.integration.operator.api.client import ADMIN_KEY, key_of
from tests.scenario import Scenario, pod_of
from usher_models.db import connecting
from usher_models.db.bots import Bot
from usher_models.db.session import set_up
from usher_models.errors import KubernetesUnavailable
from usher_operator.callbacks import cluster_keys
from usher_operator.kube.adapter import KubeAdapter
from usher_operator.processes import serve as process
from usher_operator.settings import Settings

pytestmark = pytest.mark.timeout(120)

# A request waits for a locked row this long; one that waits for nothing is answered before.
LOCKED_MS = 1500
SOON_S = 1.2
TOKENS = TokenIssuer("ES256")


@dataclass
class ApiServer:
    """What `serve` asks the API server for."""

    away: bool = False
    asked: list[str] = field(default_factory=list)

    async def get_raw(self, path: str) -> Mapping[str, Any]:
        """See KubeAdapter."""
        self.asked.append(path)
        if self.away:
            raise KubernetesUnavailable
        return TOKENS.jwks() if path == process.JWKS_PATH else {"issuer": ISSUER}


@dataclass(frozen=True)
class Serve:
    """A running `usher serve`."""

    settings: Settings
    session: ClientSession

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """A request to the public port."""
        async with self.session.get(f"http://127.0.0.1:{self.settings.api_port}{path}") as response:
            return response.status, await response.json()

    async def post(self, path: str, key: str, **body: Any) -> int:
        """The status of a user's request."""
        url = f"http://127.0.0.1:{self.settings.api_port}{path}"
        async with self.session.post(url, json=body, headers={"X-API-Key": key}) as response:
            return response.status

    async def say(self, kind: str, bot: Bot, **body: Any) -> int:
        """The status of a bot's callback."""
        token = TOKENS.token(
            pod_name=f"{bot.job_name}-abcde", pod_uid=bot.pod_uid or pod_of(bot.connection_id), namespace="bots"
        )
        url = f"http://127.0.0.1:{self.settings.callback_port}/bots/internal/callback/{kind}"
        headers = {"Authorization": f"Bearer {token}"}
        said = {"connection_id": bot.connection_id} | body
        async with self.session.post(url, json=said, headers=headers) as response:
            return response.status


@pytest.fixture
def api_server(monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """The API server of a `serve` that starts."""
    server = ApiServer()

    @asynccontextmanager
    async def connect() -> AsyncIterator[ApiServer]:
        yield server

    monkeypatch.setattr(KubeAdapter, "connect", connect)
    return server


@pytest.fixture(autouse=True)
def _short_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked row is waited for as long as a test may take."""

    def short(*, local: bool, lock_timeout_ms: int) -> str:
        return set_up(local=local, lock_timeout_ms=min(lock_timeout_ms, LOCKED_MS))

    monkeypatch.setattr(connecting, "set_up", short)


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings for this test's database and two free ports."""
    pooled = {
        "database_url": SecretStr(pooled_url(database_url)),
        "database_session_url": SecretStr(database_url),
        "database_pooler": "transaction",
    }
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = {"api_port": one.getsockname()[1], "callback_port": other.getsockname()[1], "metrics_port": 0}
    return some_settings(
        **({"database_url": SecretStr(database_url)} | (pooled if HOSTILE else {})),
        **ports,
        bind_host="127.0.0.1",
        token_audience=AUDIENCE,
        bot_service_account=SERVICE_ACCOUNT,
        admin_api_key=SecretStr(ADMIN_KEY),
        webhooks_enabled=False,
        drain_s=0,
        shutdown_timeout_s=1,
    )


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Serve]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group, ClientSession() as session:
        group.create_task(process.serve(settings, stop=stop))
        serve = Serve(settings, session)
        await _listens(settings.api_port)
        try:
            yield serve
        finally:
            stop.set()


async def _listens(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return


async def _until_ready(serve: Serve) -> None:
    async with asyncio.timeout(20):
        while (await serve.get("/readyz"))[0] != 200:  # noqa: ASYNC110 - what a kubelet does
            await asyncio.sleep(0.02)


async def test_serve_starts_while_the_api_server_is_away_and_is_ready_when_it_is_back(
    given: Scenario, settings: Settings, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_keys, "RETRY_AFTER_S", 0.05)
    api_server.away = True
    bot = await given.a_bot().starting()
    async with serving(settings) as serve:
        assert await serve.get("/readyz") == (503, {"status": "cluster_keys_not_fetched"})
        assert (await serve.get("/livez"))[0] == 200
        assert await serve.say("heartbeat", bot) == 503
        api_server.away = False
        await _until_ready(serve)
        assert await serve.say("heartbeat", bot) == 200
        # Away again: what is known goes on.
        api_server.away = True
        assert await serve.say("heartbeat", bot) == 200
        assert (await serve.get("/readyz"))[0] == 200


@asynccontextmanager
async def locked(given: Scenario, query: str, **values: Any) -> AsyncIterator[None]:
    """Another session keeps rows locked, as a person's open transaction does."""
    async with given.database.transaction() as connection:
        await connection.execute(text(query), values)
        yield


async def test_a_locked_users_requests_hold_up_no_heartbeat_and_no_other_user(
    given: Scenario, settings: Settings, api_server: ApiServer
) -> None:
    unlucky, other = await given.a_user(), await given.a_user()
    bot = await given.a_bot(other).starting().active()
    started = await given.a_bot(other)
    keys = await key_of(given, unlucky), await key_of(given, other)
    async with serving(settings) as serve, locked(given, "SELECT FROM users WHERE id = :id FOR UPDATE", id=unlucky.id):
        await _until_ready(serve)
        waiting = [asyncio.create_task(_ask_for_a_bot(serve, keys[0], number)) for number in range(12)]
        await asyncio.sleep(0.3)
        async with asyncio.timeout(SOON_S):
            assert await serve.say("heartbeat", bot) == 200
            assert await serve.say("started", started) == 200
            assert await _ask_for_a_bot(serve, keys[1], 100) == 201
            assert (await serve.get("/readyz"))[0] == 200
        await _refused(waiting)
        outages = await given.scalar("SELECT count(*) FROM usher.outages")
    assert outages == 0


async def test_a_users_locked_meetings_hold_up_no_callback_of_another_user(
    given: Scenario, settings: Settings, api_server: ApiServer
) -> None:
    unlucky, other = await given.a_user(), await given.a_user()
    bots = await given.copies_of(await given.a_bot(unlucky).starting().active(), 6)
    healthy, started = await given.a_bot(other).starting().active(), await given.a_bot(other)
    async with serving(settings) as serve:
        await _until_ready(serve)
        # The user of these meetings is known once they reported.
        assert [await serve.say("heartbeat", bot) for bot in bots] == [200] * 6
        query = "SELECT FROM meetings m WHERE m.user_id = :id FOR UPDATE"
        async with locked(given, query, id=unlucky.id):
            waiting = [
                asyncio.create_task(serve.say("status", bot, status="stopping")) for bot in bots for _ in range(4)
            ]
            await asyncio.sleep(0.3)
            async with asyncio.timeout(SOON_S):
                assert await serve.say("heartbeat", healthy) == 200
                assert await serve.say("started", started) == 200
            await _refused(waiting)


async def _refused(waiting: list[asyncio.Task[int]]) -> None:
    """The first of those that wait is refused; the others give up."""
    first, others = await asyncio.wait(waiting, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    assert {task.result() for task in first} == {503}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _ask_for_a_bot(serve: Serve, key: str, number: int) -> int:
    return await serve.post("/bots", key, platform="zoom", native_meeting_id=f"{85_100_000_000 + number}")


async def test_many_locked_users_hold_up_no_callback(
    given: Scenario, settings: Settings, api_server: ApiServer
) -> None:
    unlucky = [await given.a_user() for _ in range(8)]
    healthy, started = await given.a_bot().starting().active(), await given.a_bot()
    keys = [await key_of(given, user) for user in unlucky]
    ids = [user.id for user in unlucky]
    async with serving(settings) as serve, locked(given, "SELECT FROM users WHERE id = ANY(:ids) FOR UPDATE", ids=ids):
        await _until_ready(serve)
        waiting = [
            asyncio.create_task(_ask_for_a_bot(serve, key, number)) for number, key in enumerate(keys) for _ in range(2)
        ]
        await asyncio.sleep(0.3)
        async with asyncio.timeout(SOON_S):
            assert await serve.say("heartbeat", healthy) == 200
            assert await serve.say("started", started) == 200
        await _refused(waiting)
