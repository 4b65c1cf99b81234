"""The fast way for commands, over a real socket, with a server that speaks as much Redis as is needed."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp.test_utils import unused_port

from tests.unit.bot.fake_redis import FakeRedis
from tests.unit.bot.fake_time import InstantClock
from usher_bot.commands import Inbox
from usher_bot.subscriber import Subscriber
from usher_models.wire import command_channels, leave_command, reconfigure_command

BY_MEETING, BY_CONNECTION = command_channels(meeting_id=42, connection_id="c-1")
Listen = Callable[[str], Inbox]


@pytest.fixture
async def redis() -> AsyncIterator[FakeRedis]:
    redis = FakeRedis()
    yield redis
    await redis.close()


@pytest.fixture
async def clock() -> InstantClock:
    return InstantClock()


@pytest.fixture
async def listen(clock: InstantClock) -> AsyncIterator[Listen]:
    """Listen to a URL in the background; the inbox that fills."""
    tasks: list[asyncio.Task[None]] = []

    def begin(url: str) -> Inbox:
        inbox = Inbox()
        subscriber = Subscriber(url=url, channels=(BY_MEETING, BY_CONNECTION), inbox=inbox, clock=clock)
        tasks.append(asyncio.get_running_loop().create_task(subscriber.listen()))
        return inbox

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(1.5):
        while not done():  # noqa: ASYNC110 -- what is awaited happens in another task, over a socket
            await asyncio.sleep(0.001)


async def test_commands_on_either_channel_arrive(redis: FakeRedis, listen: Listen) -> None:
    inbox = listen(await redis.open())
    await until(lambda: len(redis.subscribed) == 2)
    assert set(redis.subscribed) == {BY_MEETING, BY_CONNECTION}
    redis.publish(BY_MEETING, reconfigure_command(42, generation=1, config={}).model_dump_json().encode())
    redis.publish(BY_CONNECTION, leave_command(42).model_dump_json().encode())
    assert (await inbox.next_reconfiguration()).generation == 1
    await asyncio.wait_for(inbox.leave_asked.wait(), 1)


async def test_a_malformed_message_does_not_end_the_subscription(redis: FakeRedis, listen: Listen) -> None:
    inbox = listen(await redis.open())
    await until(lambda: len(redis.subscribed) == 2)
    redis.publish(BY_MEETING, b"\xff\x00 nonsense")
    redis.publish(BY_MEETING, b'{"action": "leave"}')
    await asyncio.wait_for(inbox.leave_asked.wait(), 1)
    assert redis.connections == 1


async def test_it_comes_back_when_the_connection_breaks(redis: FakeRedis, listen: Listen) -> None:
    inbox = listen(await redis.open())
    for channels in (2, 4, 6):
        await until(lambda channels=channels: len(redis.subscribed) == channels)  # type: ignore[misc]
        if channels < 6:
            redis.hang_up()
    redis.publish(BY_MEETING, b'{"action": "leave"}')
    await asyncio.wait_for(inbox.leave_asked.wait(), 1)


async def test_it_waits_longer_the_longer_redis_is_away(listen: Listen, clock: InstantClock) -> None:
    listen(f"redis://127.0.0.1:{unused_port()}")
    await until(lambda: len(clock.slept) > 12)
    assert all(wait <= 30 for wait in clock.slept)
    assert max(clock.slept) > 2
    assert len(set(clock.slept)) == len(clock.slept)


def test_waits_are_drawn_between_nothing_and_a_doubling_cap(clock: InstantClock) -> None:
    drawn: list[tuple[float, float]] = []

    def jitter(low: float, high: float) -> float:
        drawn.append((low, high))
        return high

    subscriber = Subscriber(url="", channels=(), inbox=Inbox(), clock=clock, jitter=jitter)
    assert [subscriber._wait() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert {low for low, _ in drawn} == {0}


async def test_the_password_is_never_logged(
    redis: FakeRedis, listen: Listen, clock: InstantClock, caplog: pytest.LogCaptureFixture
) -> None:
    url = await redis.open()
    await redis.close()
    listen(url)
    listen(url.replace("/0", "/hunter22"))
    await until(lambda: len(clock.slept) > 3)
    assert "Redis is away" in caplog.text
    assert "hunter22" not in caplog.text
