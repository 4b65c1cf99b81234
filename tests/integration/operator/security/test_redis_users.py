"""Each bot's Redis user on a real Redis: what it may do, and that it is there when it should be and gone after."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from tests.integration.operator.security.conftest import OwnRedis
from tests.scenario import Scenario
from usher_models.db.bots import Bot
from usher_models.db.leader_lock import LeaderLock
from usher_operator.lifecycle.commands import Commander, RedisPublisher
from usher_operator.redis_acl.account import RedisAccount
from usher_operator.redis_acl.users import STANDBY_S, AclUsers

SECRET = "local-only-local-only-local-only"
AWAY = "redis://127.0.0.1:1/0"
FORBIDDEN = (
    "PUBLISH bot_commands:meeting:1 x",
    "PUBSUB CHANNELS",
    "GET key",
    "SET key value",
    "KEYS *",
    "FLUSHALL",
    "CONFIG GET *",
    "ACL LIST",
    "ACL WHOAMI",
    "CLIENT LIST",
    "CLIENT KILL TYPE pubsub",
    "MONITOR",
    "EVAL return\t1 0",
    "SHUTDOWN NOSAVE",
    "REPLICAOF example.com 6379",
    "SPUBLISH bot_commands:meeting:1 x",
)


def account_of(bot: Bot) -> RedisAccount:
    return RedisAccount.of(meeting_id=bot.meeting_id, connection_id=bot.connection_id, secret=SECRET)


async def ask(redis: Redis, command: str) -> Any:
    return await redis.execute_command(*command.split(" "))  # type: ignore[no-untyped-call]


@asynccontextmanager
async def logged_in(own_redis: OwnRedis, bot: Bot) -> AsyncIterator[Redis]:
    async with Redis.from_url(account_of(bot).url(own_redis.server)) as redis:
        yield redis


@pytest.fixture
async def users(given: Scenario, own_redis: OwnRedis) -> AsyncIterator[AclUsers]:
    users = AclUsers.connect(own_redis.url("usher-operate"), secret=SECRET, database=given.database)
    yield users
    await users.close()


async def a_bot_with_user(given: Scenario, users: AclUsers) -> Bot:
    bot = await given.a_bot().active()
    users.expect(meeting_id=bot.meeting_id, connection_id=bot.connection_id)
    await users.make_expected()
    return bot


async def test_a_bot_hears_its_own_commands(given: Scenario, own_redis: OwnRedis, users: AclUsers) -> None:
    bot = await a_bot_with_user(given, users)
    publisher = RedisPublisher.connect(own_redis.url("usher-serve"))
    async with logged_in(own_redis, bot) as redis, redis.pubsub() as heard:
        await heard.subscribe(f"bot_commands:meeting:{bot.meeting_id}", f"bot_commands:{bot.connection_id}")
        await heard.get_message(timeout=2)
        await heard.get_message(timeout=2)
        await Commander(given.database, publisher).leave([bot], reason="stopped")
        messages = [await heard.get_message(ignore_subscribe_messages=True, timeout=2) for _ in range(2)]
    await publisher.close()
    assert all(message is not None and b'"leave"' in message["data"] for message in messages)


async def test_a_bot_hears_nobody_elses_commands(given: Scenario, own_redis: OwnRedis, users: AclUsers) -> None:
    bot, other = [await a_bot_with_user(given, users) for _ in range(2)]
    channels = (f"bot_commands:meeting:{other.meeting_id}", f"bot_commands:{other.connection_id}", "anything")
    for method, channel in [*(("SUBSCRIBE", channel) for channel in channels), ("PSUBSCRIBE", "bot_commands:*")]:
        async with logged_in(own_redis, bot) as redis, redis.pubsub() as heard:
            await heard.execute_command(method, channel)
            with pytest.raises(NoPermissionError):
                await heard.get_message(timeout=2)


async def test_a_bot_may_do_nothing_else(given: Scenario, own_redis: OwnRedis, users: AclUsers) -> None:
    bot = await a_bot_with_user(given, users)
    async with logged_in(own_redis, bot) as redis:
        assert await redis.ping()
        for command in FORBIDDEN:
            with pytest.raises(NoPermissionError):
                await ask(redis, command)


# {n} is the bot's own meeting, {m} that of another.
WRITTEN_BY_VEXA = (
    "XADD transcription_segments * payload x",
    "XADD speaker_events_relative * uid x",
    "PUBLISH meeting:{n}:segments x",
    "PUBLISH tc:meeting:{n}:mutable x",
    "PUBLISH va:meeting:{n}:events x",
    "PUBLISH va:meeting:{n}:chat x",
    "SET meeting:{n}:pending:Ada x EX 60",
    "DEL meeting:{n}:pending:Ada",
    "RPUSH meeting:{n}:chat_messages x",
    "RPUSH va:meeting:{n}:event_log x",
    "LTRIM va:meeting:{n}:event_log -200 -1",
    "EXPIRE va:meeting:{n}:event_log 3600",
)
NOT_WRITTEN_BY_VEXA = (
    *FORBIDDEN,
    "XREAD STREAMS transcription_segments 0",
    "XRANGE transcription_segments - +",
    "XDEL transcription_segments 0-1",
    "DEL transcription_segments",
    "SET transcription_segments x",
    "XADD elsewhere * payload x",
    "GET meeting:{n}:pending:Ada",
    "SET meeting:{n}:pending:Ada x GET",
    "LRANGE meeting:{n}:chat_messages 0 -1",
    "SET meeting:{m}:pending:Ada x",
    "RPUSH meeting:{m}:chat_messages x",
    "PUBLISH tc:meeting:{m}:mutable x",
    "PUBLISH bot_commands:meeting:{m} x",
    "PUBLISH bm:meeting:{n}:status x",
    "PUBLISH u:1:meetings x",
)


async def test_a_bot_of_vexa_writes_its_transcript_and_nothing_of_another_meeting(
    given: Scenario, own_redis: OwnRedis
) -> None:
    users = AclUsers.connect(own_redis.url("usher-operate"), secret=SECRET, database=given.database, transcripts=True)
    bot = await a_bot_with_user(given, users)
    await users.close()
    own, other = bot.meeting_id, bot.meeting_id + 1
    async with logged_in(own_redis, bot) as redis:
        for command in WRITTEN_BY_VEXA:
            await ask(redis, command.format(n=own))
        for command in NOT_WRITTEN_BY_VEXA:
            with pytest.raises(NoPermissionError):
                await ask(redis, command.format(n=own, m=other))


async def test_a_bot_of_vexa_hears_its_own_commands_alone(given: Scenario, own_redis: OwnRedis) -> None:
    users = AclUsers.connect(own_redis.url("usher-operate"), secret=SECRET, database=given.database, transcripts=True)
    bot = await a_bot_with_user(given, users)
    await users.close()
    async with logged_in(own_redis, bot) as redis, redis.pubsub() as heard:
        await heard.subscribe(f"bot_commands:meeting:{bot.meeting_id}")
        assert await heard.get_message(timeout=2) is not None
    async with logged_in(own_redis, bot) as redis, redis.pubsub() as heard:
        await heard.subscribe(f"tc:meeting:{bot.meeting_id + 1}:mutable")
        with pytest.raises(NoPermissionError):
            await heard.get_message(timeout=2)


async def test_a_password_is_good_for_one_meeting(given: Scenario, own_redis: OwnRedis, users: AclUsers) -> None:
    bot, other = [await a_bot_with_user(given, users) for _ in range(2)]
    for name, password in (
        (account_of(other).name, account_of(bot).password),
        ("usher-operate", account_of(bot).password),
        ("default", ""),
    ):
        once = Retry(NoBackoff(), 0)
        async with Redis(port=own_redis.port, username=name, password=password, retry=once) as redis:
            with pytest.raises(AuthenticationError):
                await redis.ping()


async def test_serve_may_publish_and_nothing_else(own_redis: OwnRedis) -> None:
    async with Redis.from_url(own_redis.url("usher-serve")) as redis:
        assert await redis.publish("bot_commands:meeting:1", "x") == 0
        with pytest.raises(NoPermissionError):
            await redis.publish("elsewhere", "x")
        for command in ("SUBSCRIBE bot_commands:meeting:1", "ACL USERS", "ACL SETUSER x on", "GET key"):
            with pytest.raises(NoPermissionError):
                await ask(redis, command)


async def test_a_restart_of_redis_forgets_users_and_the_next_comparison_makes_them_again(
    given: Scenario, own_redis: OwnRedis, users: AclUsers
) -> None:
    bot = await a_bot_with_user(given, users)
    own_redis.stop()
    own_redis.start()
    async with logged_in(own_redis, bot) as redis:
        with pytest.raises(AuthenticationError):
            await redis.ping()
    await eventually(users.compare)
    async with logged_in(own_redis, bot) as redis:
        assert await redis.ping()


async def test_the_user_goes_with_the_meeting_and_takes_its_connections_along(
    given: Scenario, own_redis: OwnRedis, users: AclUsers
) -> None:
    bot = await a_bot_with_user(given, users)
    staying = await a_bot_with_user(given, users)
    async with logged_in(own_redis, bot) as redis:
        assert await redis.ping()
        await given.execute("UPDATE usher.bots SET ended_at = now() WHERE meeting_id = :id", id=bot.meeting_id)
        await users.compare()
        with pytest.raises(RedisError):
            await redis.ping()
    async with logged_in(own_redis, staying) as redis:
        assert await redis.ping()


async def test_users_of_others_are_left_alone(own_redis: OwnRedis, users: AclUsers) -> None:
    async with Redis.from_url(own_redis.url("usher-operate")) as redis:
        await ask(redis, "ACL SETUSER bot-of-another-kind on nopass")
        await ask(redis, "ACL SETUSER bot-2147483647 on nopass")
        await users.compare()
        assert set(await ask(redis, "ACL USERS")) == {
            b"bot-of-another-kind",
            b"default",
            b"usher-operate",
            b"usher-serve",
        }


async def test_the_loop_makes_at_once_who_is_expected(given: Scenario, own_redis: OwnRedis, users: AclUsers) -> None:
    bot = await given.a_bot().active()
    running = asyncio.create_task(users.run(3600))
    # After the comparison at the start, the next would come in an hour.
    await eventually(lambda: _answers(own_redis, bot))
    late = await given.a_bot().active()
    users.expect(meeting_id=late.meeting_id, connection_id=late.connection_id)
    await eventually(lambda: _answers(own_redis, late))
    running.cancel()


async def test_users_are_the_leaders_to_make(given: Scenario, own_redis: OwnRedis) -> None:
    lock = LeaderLock(given.database)
    users = AclUsers.connect(own_redis.url("usher-operate"), secret=SECRET, database=given.database, fence=lock)
    bot = await given.a_bot().active()
    users.expect(meeting_id=bot.meeting_id, connection_id=bot.connection_id)
    assert 0 < await users._update(3600) <= STANDBY_S
    with pytest.raises(AuthenticationError):
        await _answers(own_redis, bot)
    assert await lock.acquire()
    await users._update(3600)
    await _answers(own_redis, bot)
    await lock.release()
    await users.close()


async def test_a_redis_that_is_away_holds_up_nobody(given: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    users = AclUsers.connect(AWAY, secret=SECRET, database=given.database)
    bot = await given.a_bot().active()
    running = asyncio.create_task(users.run(0.01))
    began = time.monotonic()
    for _ in range(1000):
        users.expect(meeting_id=bot.meeting_id, connection_id=bot.connection_id)
    assert time.monotonic() - began < 0.5
    await asyncio.sleep(0.3)
    assert not running.done()
    running.cancel()
    await users.close()
    assert [record.__dict__["action"] for record in caplog.records] == ["redis_users_stale"]


async def _answers(own_redis: OwnRedis, bot: Bot) -> None:
    async with logged_in(own_redis, bot) as redis:
        await redis.ping()


async def eventually(work: Callable[[], object]) -> None:
    """Do it until it works; a connection that broke with the server needs a second try."""
    deadline = time.monotonic() + 5
    while True:
        try:
            await work()  # type: ignore[misc]
        except RedisError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        else:
            return
