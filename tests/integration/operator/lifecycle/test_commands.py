"""Commands: stored first, heard at once on a real Redis, and not lost without it."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from tests.fakes.clock import FakeClock
from tests.scenario import Scenario
from usher_models.db.bots import BotSummary
from usher_models.states import Desired
from usher_operator.lifecycle.commands import REST_AFTER_FAILURE_S, Commander, RedisPublisher, pending

pytestmark = pytest.mark.usefixtures("own_meeting_ids")

AWAY = "redis://127.0.0.1:1/0"
# Long enough for a Redis on the same machine, short enough for a test.
HEARD_WITHIN_S = 2


@asynccontextmanager
async def listening(url: str, *channels: str) -> AsyncIterator[PubSub]:
    async with Redis.from_url(url) as redis, redis.pubsub() as pubsub:
        await pubsub.subscribe(*channels)
        for _ in channels:
            await pubsub.get_message(timeout=HEARD_WITHIN_S)
        yield pubsub


async def heard(pubsub: PubSub) -> dict[str, object]:
    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=HEARD_WITHIN_S)
    assert message is not None
    told: dict[str, object] = json.loads(message["data"])
    return told


async def silence(pubsub: PubSub) -> bool:
    return await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.2) is None


@pytest.fixture
async def publisher(redis_url: str) -> AsyncIterator[RedisPublisher]:
    publisher = RedisPublisher.connect(redis_url)
    yield publisher
    await publisher.close()


@pytest.fixture
def commander(given: Scenario, publisher: RedisPublisher) -> Commander:
    return Commander(given.database, publisher)


@asynccontextmanager
async def commander_to(given: Scenario, url: str) -> AsyncIterator[Commander]:
    publisher = RedisPublisher.connect(url)
    yield Commander(given.database, publisher)
    await publisher.close()


@asynccontextmanager
async def a_black_hole() -> AsyncIterator[str]:
    """A Redis that takes every connection and never answers."""
    writers: list[asyncio.StreamWriter] = []

    async def swallow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    server.close()
    await _hang_up(writers)


def a_free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@asynccontextmanager
async def a_way_to(url: str, *, port: int) -> AsyncIterator[None]:
    """The Redis at `url`, on another port."""
    target = urlsplit(url)
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)

    async def forward(here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        writers.extend((back, writer))
        await asyncio.gather(pump(here, writer), pump(reader, back))

    server = await asyncio.start_server(forward, "127.0.0.1", port)
    yield
    server.close()
    await _hang_up(writers)


async def _hang_up(writers: list[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_leave_is_stored_and_heard_on_both_channels(
    given: Scenario, commander: Commander, redis_url: str
) -> None:
    bot = await given.a_bot(connection_id="both-channels").active()
    by_meeting, by_connection = f"bot_commands:meeting:{bot.meeting_id}", f"bot_commands:{bot.connection_id}"
    async with listening(redis_url, by_meeting) as meeting, listening(redis_url, by_connection) as connection:
        assert await commander.leave([bot], reason="stopped") == 1
        leave = {"id": f"{bot.meeting_id}:leave", "action": "leave"}
        assert [await heard(meeting), await heard(connection)] == [leave, leave]
    asked = await given.fresh(bot)
    assert (asked.desired, asked.leave_reason) == (Desired.LEAVE, "stopped")


async def test_leave_is_stored_before_it_is_told(given: Scenario) -> None:
    made = await given.a_bot().active()

    class Spy:
        async def publish(self, bot: BotSummary, command: object) -> None:
            seen.append((await given.fresh(made)).desired)

    seen: list[Desired] = []
    await Commander(given.database, Spy()).leave([made], reason="stopped")
    assert seen == [Desired.LEAVE]


async def test_leave_is_told_once(given: Scenario, commander: Commander, redis_url: str) -> None:
    bot = await given.a_bot().active()
    async with listening(redis_url, f"bot_commands:meeting:{bot.meeting_id}") as meeting:
        assert [await commander.leave([bot], reason=reason) for reason in ("stopped", "max_duration_exceeded")] == [
            1,
            0,
        ]
        await heard(meeting)
        assert await silence(meeting)
    assert (await given.fresh(bot)).leave_reason == "stopped"


async def test_only_the_living_are_asked(given: Scenario, commander: Commander) -> None:
    bots = [await given.a_bot().active(), await given.a_bot().active().completed()]
    assert await commander.leave(bots, reason="stopped") == 1
    assert await commander.leave([], reason="stopped") == 0


async def test_a_configuration_is_stored_and_heard_without_its_secrets(
    given: Scenario, commander: Commander, redis_url: str
) -> None:
    bot = await given.a_bot(config={"passcode": "swordfish", "task": "transcribe"}).active()
    async with listening(redis_url, f"bot_commands:{bot.connection_id}") as connection:
        assert await commander.configure(bot, {"language": "de"})
        assert await heard(connection) == {
            "id": f"{bot.meeting_id}:config:1",
            "action": "reconfigure",
            "generation": 1,
            "language": "de",
            "task": "transcribe",
        }
    assert (await given.fresh(bot)).config == {"passcode": "swordfish", "task": "transcribe", "language": "de"}


async def test_a_configuration_that_changes_nothing_is_no_news(
    given: Scenario, commander: Commander, redis_url: str
) -> None:
    bot = await given.a_bot(config={"language": "de"}).active()
    async with listening(redis_url, f"bot_commands:{bot.connection_id}") as connection:
        assert not await commander.configure(bot, {"language": "de"})
        assert await silence(connection)
    assert (await given.fresh(bot)).config_generation == 0


async def test_what_is_heard_and_what_is_answered_are_one_command(
    given: Scenario, commander: Commander, redis_url: str
) -> None:
    bot = await given.a_bot().active()
    async with listening(redis_url, f"bot_commands:{bot.connection_id}") as connection:
        await commander.configure(bot, {"language": "de"})
        await commander.leave([bot], reason="stopped")
        told = [await heard(connection), await heard(connection)]
    assert told == [command.model_dump(exclude_none=True) for command in pending(await given.fresh(bot))]


async def test_with_redis_away_a_command_is_stored_and_logged(
    given: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    bot = await given.a_bot().active()
    with caplog.at_level(logging.INFO, "usher_operator"):
        async with commander_to(given, AWAY) as commander:
            assert await commander.leave([bot], reason="stopped") == 1
            assert await commander.configure(bot, {"language": "de"})
    asked = await given.fresh(bot)
    assert (asked.desired, asked.config_generation) == (Desired.LEAVE, 1)
    failed = [record for record in caplog.records if record.__dict__["action"] == "publish_failed"]
    assert failed
    assert failed[0].__dict__["meeting_id"] == bot.meeting_id


async def test_a_redis_that_never_answers_holds_up_nobody(given: Scenario) -> None:
    bot = await given.a_bot().active()
    bots = [bot, *await given.copies_of(bot, 49)]
    began = time.monotonic()
    async with a_black_hole() as url, commander_to(given, url) as commander:
        assert await commander.leave(bots, reason="stopped") == 50
    assert time.monotonic() - began < 5


async def test_a_redis_that_comes_back_is_used_again(given: Scenario, redis_url: str, clock: FakeClock) -> None:
    bots = [await given.a_bot().active() for _ in range(3)]
    port = a_free_port()
    publisher = RedisPublisher.connect(f"redis://127.0.0.1:{port}/0", clock=clock)
    commander = Commander(given.database, publisher)
    await commander.leave([bots[0]], reason="stopped")
    channels = [f"bot_commands:{bot.connection_id}" for bot in bots]
    async with a_way_to(redis_url, port=port), listening(redis_url, *channels) as connections:
        await commander.leave([bots[1]], reason="stopped")
        clock.advance(REST_AFTER_FAILURE_S)
        await commander.leave([bots[2]], reason="stopped")
        # While it rests it is not even asked; what was not told then comes with the bot's next beat.
        assert (await heard(connections))["id"] == f"{bots[2].meeting_id}:leave"
        assert await silence(connections)
    await publisher.close()
