"""Changes of status reach gateways by Redis, and a Redis that is away costs nobody time."""

from typing import cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAway

from tests.fakes.clock import FakeClock
from usher_models.redis_server import RedisServer
from usher_operator.api.vexa.announcer import REST_S, Announcer


class ARedis:
    """Takes messages unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0
        self.took: list[tuple[str, str]] = []
        self.closed = False

    async def publish(self, channel: str, message: str) -> None:
        self.asked += 1
        if self.away:
            raise RedisAway
        self.took.append((channel, message))

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def redis() -> ARedis:
    return ARedis()


@pytest.fixture
def announcer(redis: ARedis, clock: FakeClock) -> Announcer:
    return Announcer(cast("Redis", redis), server=RedisServer.of("redis://redis:6379/0"), clock=clock)


async def test_a_change_is_published_on_each_channel(announcer: Announcer, redis: ARedis) -> None:
    await announcer.announce(["one", "two"], "active")
    assert redis.took == [("one", "active"), ("two", "active")]


async def test_a_redis_that_is_away_is_left_alone_for_a_while(
    announcer: Announcer, redis: ARedis, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    redis.away = True
    await announcer.announce(["one", "two"], "active")
    assert [record.__dict__["action"] for record in caplog.records] == ["announce_failed"]
    redis.away = False
    clock.advance(REST_S - 1)
    await announcer.announce(["one"], "stopping")
    assert (redis.asked, redis.took) == (1, [])
    clock.advance(1)
    await announcer.announce(["one"], "completed")
    assert redis.took == [("one", "completed")]


async def test_connections_are_closed_when_the_application_ends(announcer: Announcer, redis: ARedis) -> None:
    ending = announcer.closing(None)  # type: ignore[arg-type]
    await anext(ending)
    assert not redis.closed
    with pytest.raises(StopAsyncIteration):
        await anext(ending)
    assert redis.closed
