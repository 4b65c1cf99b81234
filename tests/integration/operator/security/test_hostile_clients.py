"""Clients that send slowly, too much, too often or nonsense: the server goes on serving the others.

Both ports of serve as in production, on a real Postgres; the clients are bytes on real sockets.
"""

import asyncio
import json
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from tests.fakes.clock import FakeClock
from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import some_settings
from tests.fakes.tokens import AUDIENCE, ISSUER, SERVICE_ACCOUNT, TokenIssuer
from tests.integration.operator.api.client import ADMIN_KEY, key_of
from tests.integration.operator.security.raw import Raw, dialled
from tests.scenario import Scenario, pod_of
from usher_models.db.bots import Bot
from usher_models.wire import BODY_MAX_BYTES
from usher_operator.callbacks import routes
from usher_operator.callbacks.cluster_keys import KeyRing
from usher_operator.callbacks.pod_token import TokenVerifier
from usher_operator.callbacks.routes import Callbacks
from usher_operator.http import server
from usher_operator.http.server import listening
from usher_operator.lifecycle.termination import Termination
from usher_operator.processes.serve import public_api

PREFIX = "/bots/internal/callback"
# What a healthy client waits at most, with 500 hostile connections on a machine that does other work too.
SOON_S = 2.0


class Serve:
    """Both ports of one serve."""

    def __init__(self, given: Scenario, *, callbacks: int, api: int, key: str) -> None:
        self.given = given
        self.ports = {"callbacks": callbacks, "api": api}
        self.key = key
        self._issuer = ISSUER_OF_TOKENS

    def token(self, bot: Bot) -> str:
        """The token of a bot's pod."""
        return self._issuer.token(
            pod_name=f"{bot.job_name}-abcde",
            pod_uid=bot.pod_uid or pod_of(bot.connection_id),
            namespace=bot.request_namespace or "",
        )

    def head(self, bot: Bot, *, length: int | None, kind: str = "heartbeat") -> str:
        """The head of a callback whose body has that length; None for chunks."""
        size = f"Content-Length: {length}" if length is not None else "Transfer-Encoding: chunked"
        return f"POST {PREFIX}/{kind} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token(bot)}\r\n{size}\r\n\r\n"

    async def beat(self, bot: Bot) -> int:
        """One healthy heartbeat, on a connection of its own; its status. It must come soon."""
        url = f"http://127.0.0.1:{self.ports['callbacks']}{PREFIX}/heartbeat"
        headers = {"Authorization": f"Bearer {self.token(bot)}"}
        async with asyncio.timeout(SOON_S), ClientSession() as session:
            body = {"connection_id": bot.connection_id}
            async with session.post(url, json=body, headers=headers) as response:
                return response.status

    async def ask(self) -> int:
        """One healthy request to the API; its status. It must come soon."""
        url = f"http://127.0.0.1:{self.ports['api']}/bots/status"
        async with (
            asyncio.timeout(SOON_S),
            ClientSession() as session,
            session.get(url, headers={"X-API-Key": self.key}) as response,
        ):
            return response.status

    async def is_well(self, bot: Bot) -> bool:
        """Whether healthy clients are served on both ports, and no connection to the database is held."""
        served = [await self.beat(bot), await self.ask()] == [200, 200]
        return served and self.given.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


ISSUER_OF_TOKENS = TokenIssuer("ES256")


@asynccontextmanager
async def serving(given: Scenario, **fields: Any) -> AsyncIterator[Serve]:
    """Serve with those settings."""

    async def fetch() -> dict[str, Any]:
        return ISSUER_OF_TOKENS.jwks()

    verifier = TokenVerifier(
        KeyRing(fetch, clock=FakeClock()),
        issuers=(ISSUER,),
        audience=AUDIENCE,
        namespaces=("bots",),
        service_account=SERVICE_ACCOUNT,
    )
    settings = some_settings(
        bind_host="127.0.0.1", shutdown_timeout_s=0.1, admin_api_key=SecretStr(ADMIN_KEY), **fields
    )
    callbacks = Callbacks(
        database=given.database, verifier=verifier, heartbeat_interval_s=30, termination=Termination(FakeKube())
    ).application()
    api = public_api(settings, database=given.database, publisher=RecordingPublisher(), kube=FakeKube())
    key = await key_of(given, await given.a_user())
    async with listening(callbacks, 0, settings=settings) as one, listening(api, 0, settings=settings) as other:
        yield Serve(given, callbacks=one, api=other, key=key)


@pytest.fixture
async def serve(given: Scenario) -> AsyncIterator[Serve]:
    async with serving(given) as serve:
        yield serve


@pytest.fixture
async def bot(given: Scenario) -> Bot:
    return await given.a_bot().active()


@pytest.mark.parametrize("port", ["callbacks", "api"])
async def test_slow_heads_of_500_connections_hold_up_nobody(serve: Serve, bot: Bot, port: str) -> None:
    async with dialled(serve.ports[port], count=500) as slow:
        for raw in slow:
            await raw.say("POST /bots HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        for _ in range(5):
            for raw in slow:
                await raw.say("a")
            assert await serve.is_well(bot)


async def test_slow_bodies_of_known_bots_hold_no_connection_to_the_database(
    serve: Serve, bot: Bot, given: Scenario
) -> None:
    others = [await given.a_bot().active() for _ in range(30)]
    async with dialled(serve.ports["callbacks"], count=60) as slow:
        for number, raw in enumerate(slow):
            await raw.say(serve.head(others[number % 30], length=50) + "{")
        for _ in range(5):
            assert await serve.is_well(bot)


async def test_a_slow_head_is_given_up(given: Scenario, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "KEEPALIVE_S", 0.3)
    async with serving(given) as serve, dialled(serve.ports["api"]) as (raw,):
        began = time.monotonic()
        await raw.say("GET /livez HTTP/1.1\r\nX-Slow: ")
        while not raw.ended and time.monotonic() - began < SOON_S:
            await raw.say("a")
            await asyncio.sleep(0.02)
        assert raw.ended


@pytest.mark.parametrize("port", ["callbacks", "api"])
async def test_a_slow_body_is_given_up(serve: Serve, bot: Bot, port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "BODY_TIMEOUT_S", 0.1)
    monkeypatch.setattr("usher_operator.api.framework.dispatch.BODY_TIMEOUT_S", 0.1)
    heads = {
        "callbacks": serve.head(bot, length=50),
        "api": f"POST /bots HTTP/1.1\r\nHost: x\r\nX-API-Key: {serve.key}\r\nContent-Length: 50\r\n\r\n",
    }
    async with dialled(serve.ports[port]) as (raw,):
        assert await (await raw.say(heads[port] + "{")).status() == 408


async def test_answers_that_nobody_reads_hold_up_nobody(serve: Serve, bot: Bot) -> None:
    async with dialled(serve.ports["api"], count=20) as deaf:
        for raw in deaf:
            raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
            raw.writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 10_000)
        for _ in range(5):
            assert await serve.is_well(bot)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("GET /" + "a" * 20_000 + " HTTP/1.1\r\nHost: x\r\n\r\n", id="line"),
        pytest.param("GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + "a" * 20_000 + "\r\n\r\n", id="field"),
        pytest.param(
            "GET /livez HTTP/1.1\r\nHost: x\r\n" + "".join(f"X-{n}: 1\r\n" for n in range(500)) + "\r\n", id="many"
        ),
        pytest.param("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", id="negative length"),
        pytest.param(
            "POST /bots HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="two lengths",
        ),
        pytest.param("GET /livez HTTP/1.1\r\nHost: x\r\nX-Nul: a\0b\r\n\r\n", id="nul"),
        pytest.param("GET /livez HTTP/1.1\r\nHost: x\r\n folded: 1\r\n\r\n", id="folded"),
        pytest.param("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="tls"),
        pytest.param("Hello\r\n\r\n", id="no http"),
    ],
)
async def test_a_head_that_is_too_long_or_no_head_is_refused(serve: Serve, bot: Bot, head: str) -> None:
    for port in serve.ports.values():
        async with dialled(port) as (raw,):
            assert await (await raw.say(head.encode("latin-1"))).status() == 400
    assert await serve.is_well(bot)


async def test_a_body_that_is_too_long_is_refused_whatever_length_it_claims(serve: Serve, bot: Bot) -> None:
    async with dialled(serve.ports["callbacks"], count=2) as (claiming, chunked):
        await claiming.say(serve.head(bot, length=10**9) + "x" * (BODY_MAX_BYTES + 1))
        assert await claiming.status() == 413
        await chunked.say(serve.head(bot, length=None))
        for _ in range(10):
            await chunked.say(f"{16_384:x}\r\n" + "x" * 16_384 + "\r\n")
        assert await chunked.status() == 413
    assert await serve.is_well(bot)


async def test_a_compressed_body_is_not_unpacked(serve: Serve, bot: Bot) -> None:
    bomb = zlib.compress(json.dumps({"connection_id": bot.connection_id, "pad": " " * 40_000}).encode())
    head = serve.head(bot, length=len(bomb)).replace("\r\n\r\n", "\r\nContent-Encoding: deflate\r\n\r\n")
    async with dialled(serve.ports["callbacks"]) as (raw,):
        assert await (await raw.say(head.encode() + bomb)).status() == 400


@pytest.mark.parametrize(
    ("port", "path"),
    [("api", "/openapi.json"), ("api", "/bots/status"), ("api", "/nowhere"), ("callbacks", f"{PREFIX}/heartbeat")],
)
async def test_a_flood_of_pipelined_requests_holds_up_nobody(serve: Serve, bot: Bot, port: str, path: str) -> None:
    async with dialled(serve.ports[port], count=20) as flooding:
        for raw in flooding:
            raw.writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 2000)
        for _ in range(5):
            assert await serve.is_well(bot)


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"connection_id":{"a":['])
async def test_deep_nesting_is_refused(serve: Serve, bot: Bot, opening: str) -> None:
    body = (opening * 20_000)[:60_000]
    api = f"POST /bots HTTP/1.1\r\nHost: x\r\nX-API-Key: {serve.key}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    async with dialled(serve.ports["callbacks"]) as (one,), dialled(serve.ports["api"]) as (other,):
        assert await (await one.say(serve.head(bot, length=len(body)) + body)).status() == 400
        assert await (await other.say(api)).status() == 422
    assert await serve.is_well(bot)


async def test_of_a_key_that_comes_twice_the_one_that_counts_is_the_one_that_is_checked(
    serve: Serve, bot: Bot, given: Scenario
) -> None:
    other = await given.a_bot().active()
    for first, second, status in ((bot, other, 403), (other, bot, 200)):
        body = f'{{"connection_id": "{first.connection_id}", "connection_id": "{second.connection_id}"}}'
        async with dialled(serve.ports["callbacks"]) as (raw,):
            assert await (await raw.say(serve.head(bot, length=len(body)) + body)).status() == status


async def test_a_bot_that_floods_is_slowed_down_and_the_others_are_not(serve: Serve, bot: Bot, given: Scenario) -> None:
    flooding = await given.a_bot().active()
    async with dialled(serve.ports["callbacks"], count=routes.MAX_IN_FLIGHT + 5) as many:
        for raw in many:
            await raw.say(serve.head(flooding, length=50) + "{")
        # Those in flight wait for their bodies; the ones too many are answered at once.
        refused = [await raw.status() for raw in await _answered(many, 5)]
        assert refused == [429] * 5
        assert await serve.is_well(bot)
    await asyncio.sleep(0.05)
    assert await serve.beat(flooding) == 200


async def _answered(many: list[Raw], count: int) -> list[Raw]:
    deadline = time.monotonic() + SOON_S
    while len(found := [raw for raw in many if raw.reader._buffer]) < count:  # type: ignore[attr-defined]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    return found


async def test_one_client_cannot_take_every_connection(given: Scenario, bot: Bot) -> None:
    async with (
        serving(given, max_connections=20) as serve,
        dialled(serve.ports["api"], count=40) as greedy,
        dialled(serve.ports["api"], source="127.0.0.2") as (modest,),
    ):
        await modest.say("GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await modest.status() == 200
        await asyncio.sleep(0.05)
        assert sum(not raw.ended for raw in greedy) == 19


EVIL = "%0d%0aX-Evil:%20yes"


@pytest.mark.parametrize(
    "request_line",
    [
        f"GET /meetings?search={EVIL}",
        f"GET /bots/jitsi/{EVIL}",
        f"DELETE /bots/jitsi/a{EVIL}",
        f"GET /{EVIL}",
        f"PUT /bots/jitsi/{EVIL}/config",
        f"GET /meetings?platform={EVIL}",
        f"GET /docs/{EVIL}",
    ],
)
async def test_a_line_break_in_a_value_makes_no_header(serve: Serve, request_line: str) -> None:
    head = f"{request_line} HTTP/1.1\r\nHost: x\r\nX-API-Key: {serve.key}\r\nIdempotency-Key: a{EVIL}\r\n\r\n"
    async with dialled(serve.ports["api"]) as (raw,):
        answer = await (await raw.say(head)).answer()
        assert answer.startswith("HTTP/1.1 ")
        assert "\r\nX-Evil" not in answer
