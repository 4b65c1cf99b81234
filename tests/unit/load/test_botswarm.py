"""The swarm plays the protocol as `usher_bot` does: against a scripted callback server, over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.load.botswarm import Histogram, Identity, Script, Swarm, TokenSigner

BOT = Identity(connection_id="c-1", namespace="bots", job_name="bot-1", meeting_id=1)
QUICK = Script(lobby_s=0.02, meeting_s=0.1, leave_s=0.02)
LONG = Script(lobby_s=0.02, meeting_s=60)

Answer = tuple[int, dict[str, Any]]


def a_signer() -> TokenSigner:
    key = ec.generate_private_key(ec.SECP256R1())
    return TokenSigner(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@dataclass
class ScriptedPlane:
    """What the server was told, and what it answers: `answers[kind]` first, in turn, then 200."""

    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    commands: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        """What was told but the heartbeats, in order."""
        return [kind for kind, _ in self.told if kind != "heartbeat"]

    async def handle(self, request: web.Request) -> web.Response:
        """Any callback."""
        kind, body = request.path.rpartition("/")[2], json.loads(await request.read())
        self.told.append((kind, body))
        status, reply = self.answers.get(kind, []).pop(0) if self.answers.get(kind) else (200, {})
        ok = {"status": "callback processed", "meeting_id": 1, "commands": self.commands, "next_beat_s": 0.05}
        return web.json_response(reply or (ok if status == 200 else {"code": "x"}), status=status)


@pytest.fixture
def plane() -> ScriptedPlane:
    return ScriptedPlane()


@pytest.fixture
async def swarm(plane: ScriptedPlane) -> AsyncIterator[Swarm]:
    app = web.Application()
    app.router.add_route("*", "/bots/internal/callback/{kind}", plane.handle)
    async with TestServer(app) as server:
        swarm = Swarm(url=str(server.make_url("/")), tokens=a_signer(), beat_s=0.05, seed=1)
        async with swarm.running():
            yield swarm


async def until(true: Callable[[], bool]) -> None:
    """Return as soon as `true` is."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_whole_life_is_told_in_its_order(swarm: Swarm, plane: ScriptedPlane) -> None:
    swarm.add(BOT, QUICK)
    await until(lambda: not swarm.live())
    assert plane.kinds == ["started", "status", "joined", "status", "exited"]
    assert [body["connection_id"] for _, body in plane.told] == ["c-1"] * len(plane.told)
    assert "heartbeat" in {kind for kind, _ in plane.told}
    assert swarm.figures.ended == {"exit code 0": 1}
    assert not swarm.figures.lost


async def test_a_callback_is_tried_again_until_it_is_taken(swarm: Swarm, plane: ScriptedPlane) -> None:
    plane.answers["started"] = [(503, {}), (503, {})]
    swarm.add(BOT, QUICK)
    await until(lambda: not swarm.live())
    assert plane.kinds[:3] == ["started"] * 3
    assert len({body["event_id"] for kind, body in plane.told if kind == "started"}) == 1
    assert swarm.figures.retries == {"503": 2}


async def test_the_end_of_the_meeting_ends_the_bot_without_another_word(swarm: Swarm, plane: ScriptedPlane) -> None:
    plane.answers["heartbeat"] = [(410, {"code": "meeting_over", "terminate": True})]
    swarm.add(BOT, LONG)
    await until(lambda: not swarm.live())
    assert "exited" not in plane.kinds
    assert swarm.figures.ended == {"dismissed 410": 1}


async def test_an_illegal_move_is_declined_and_the_life_goes_on(swarm: Swarm, plane: ScriptedPlane) -> None:
    plane.answers["joined"] = [(409, {"code": "illegal_move"})]
    swarm.add(BOT, QUICK)
    await until(lambda: not swarm.live())
    assert plane.kinds[-1] == "exited"
    assert swarm.figures.declined == {"joined 409": 1}


async def test_a_command_in_a_reply_is_obeyed_once(swarm: Swarm, plane: ScriptedPlane) -> None:
    plane.commands = [{"id": "1:leave", "action": "leave"}]
    swarm.add(BOT, LONG)
    await until(lambda: not swarm.live())
    assert plane.kinds == ["started", "status", "exited"]
    assert swarm.figures.commands == {"leave reply": 1}


async def test_a_new_configuration_is_acknowledged_by_a_beat(swarm: Swarm, plane: ScriptedPlane) -> None:
    plane.commands = [{"id": "1:config:3", "action": "reconfigure", "generation": 3}]
    swarm.add(BOT, LONG)
    await until(lambda: any(body.get("applied_generation") == 3 for _, body in plane.told))
    assert swarm.figures.commands == {"reconfigure reply": 1}


async def test_a_frozen_bot_is_silent_and_speaks_again(swarm: Swarm, plane: ScriptedPlane) -> None:
    other = Identity(connection_id="c-2", namespace="bots", job_name="bot-2", meeting_id=2)
    for bot in (BOT, other):
        swarm.add(bot, Script(present=True))

    def beats(bot: Identity) -> int:
        return sum(body["connection_id"] == bot.connection_id for _, body in plane.told)

    await until(lambda: beats(BOT) > 1)
    swarm.freeze("c-1")
    silent, seen = beats(BOT), beats(other)
    await until(lambda: beats(other) > seen + 3)
    assert beats(BOT) <= silent + 1
    swarm.freeze("c-1", frozen=False)
    await until(lambda: beats(BOT) > silent + 1)


async def test_a_server_that_is_away_is_waited_for(plane: ScriptedPlane) -> None:
    swarm = Swarm(url="http://127.0.0.1:1", tokens=a_signer(), seed=1)
    async with swarm.running():
        swarm.add(BOT, LONG)
        await until(lambda: swarm.figures.retries["no answer"] > 0)
        assert swarm.live()


def test_quantiles_are_right_to_one_per_cent() -> None:
    histogram = Histogram()
    for milliseconds in range(1, 1001):
        histogram.add(milliseconds / 1000)
    assert histogram.quantile(0.5) == pytest.approx(0.5, rel=0.011)
    assert histogram.quantile(0.99) == pytest.approx(0.99, rel=0.011)
    assert (histogram.count, histogram.longest_s) == (1000, 1.0)


async def test_a_frozen_bot_neither_exits_nor_ends(plane: ScriptedPlane, swarm: Swarm) -> None:
    bot = swarm.add(BOT, QUICK)
    swarm.freeze("c-1")
    await asyncio.sleep(0.4)
    assert bot.alive
    assert "exited" not in plane.kinds
