"""Each bot's user in Redis: made when its Job is, made again when Redis lost it, removed when its meeting is over.

Redis keeps users in memory, so a restart forgets them. Level-triggered: every interval the users there are compared
with the meetings that live. This loop is nobody's way: a Redis that is away delays no Job and no sweep, and a bot whose
user is missing hears its commands in the replies to its callbacks.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from usher_models.db import bots
from usher_models.db.engine import Database
from usher_models.db.leader_lock import UNFENCED, Fence
from usher_models.errors import DatabaseUnavailable
from usher_models.redis_server import RedisServer
from usher_operator.background.loop import Messages, repeat
from usher_operator.redis_acl.account import RedisAccount, meeting_of
from usher_operator.telemetry import REDIS_USERS

logger = logging.getLogger(__name__)

TIMEOUT_S = 5.0
# One round trip makes this many users.
BATCH = 500
STANDBY_S = 1.0
_MESSAGES = Messages(
    action="redis_users", postponed="Users of Redis are made later", failed="Users of Redis could not be made"
)


class RedisUsers(Protocol):
    """Who makes a bot's user."""

    def expect(self, *, meeting_id: int, connection_id: str) -> None:
        """A bot is about to start: make its user soon. It never waits and never raises."""


class NoUsers:
    """Bots share one user, or have no Redis."""

    def expect(self, *, meeting_id: int, connection_id: str) -> None:
        """See RedisUsers."""


class AclUsers:
    """Bots have a user each. `run` does the work; it lives as long as the process."""

    def __init__(
        self,
        *,
        redis: Redis,
        server: RedisServer,
        secret: str,
        database: Database,
        transcripts: bool = False,
        fence: Fence = UNFENCED,
    ) -> None:
        self._fence = fence
        self._redis = redis
        self._server = server
        self._secret = secret
        self._transcripts = transcripts
        self._database = database
        self._expected: dict[int, RedisAccount] = {}
        self._woken = asyncio.Event()
        self._told = ""
        self._compare_at = 0.0

    @classmethod
    def connect(
        cls, url: str, *, secret: str, database: Database, transcripts: bool = False, fence: Fence = UNFENCED
    ) -> "AclUsers":
        """The users of the Redis at `url`, whose own user may manage others. Connects lazily."""
        redis = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True)
        server = RedisServer.of(url)
        return cls(redis=redis, server=server, secret=secret, database=database, transcripts=transcripts, fence=fence)

    def expect(self, *, meeting_id: int, connection_id: str) -> None:
        """See RedisUsers."""
        self._expected[meeting_id] = self._account(meeting_id, connection_id)
        self._woken.set()

    async def run(self, interval_s: float) -> None:
        """Make who is expected at once, and compare all of them every `interval_s` seconds; for ever."""
        await repeat(partial(self._update, interval_s), _MESSAGES, every_s=interval_s, pause=self._wait)

    async def _update(self, interval_s: float) -> float:
        """Do what is due; the seconds until more is. The leader's users are compared as soon as it leads."""
        if not self._fence.leads:
            self._compare_at = 0.0
            self._expected.clear()
            self._woken.clear()
            return min(STANDBY_S, interval_s)
        now = asyncio.get_running_loop().time
        if self._expected:
            await self._note_outcome(self.make_expected)
        if now() >= self._compare_at:
            await self._note_outcome(self.compare)
            self._compare_at = now() + interval_s
        return self._compare_at - now()

    async def make_expected(self) -> None:
        """Make the users that were asked for. One that fails is made by the next comparison."""
        self._woken.clear()
        accounts, self._expected = list(self._expected.values()), {}
        await self._make(accounts)

    async def compare(self) -> None:
        """Make the users that are missing, and remove those whose meeting is over."""
        async with asyncio.timeout(TIMEOUT_S):
            there = {number: name for name in await self._ask("ACL USERS") if (number := meeting_of(name)) is not None}
        # Read after the users: whoever has one by now had a row before.
        async with self._database.reading() as connection:
            live = dict(await bots.live_connections(connection))
        missing = [
            self._account(number, connection_id) for number, connection_id in live.items() if number not in there
        ]
        await self._make(missing)
        await self._remove([there[number] for number in there.keys() - live.keys()])

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _account(self, meeting_id: int, connection_id: str) -> RedisAccount:
        return RedisAccount.of(meeting_id=meeting_id, connection_id=connection_id, secret=self._secret)

    async def _make(self, accounts: Collection[RedisAccount]) -> None:
        waiting = list(accounts)
        while waiting:
            async with asyncio.timeout(TIMEOUT_S), self._redis.pipeline(transaction=False) as pipeline:
                for account in waiting[:BATCH]:
                    pipeline.execute_command("ACL SETUSER", account.name, *account.rules(transcripts=self._transcripts))
                await pipeline.execute()
            REDIS_USERS.labels(outcome="made").inc(len(waiting[:BATCH]))
            del waiting[:BATCH]

    async def _remove(self, names: list[str]) -> None:
        for start in range(0, len(names), BATCH):
            async with asyncio.timeout(TIMEOUT_S):
                removed = await self._ask("ACL DELUSER", *names[start : start + BATCH])
            REDIS_USERS.labels(outcome="removed").inc(removed)

    async def _ask(self, *command: str) -> Any:
        return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0, seconds)):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _note_outcome(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, and log when it begins to fail, and when it works again."""
        try:
            await work()
        except (RedisError, OSError, TimeoutError, DatabaseUnavailable) as exc:
            REDIS_USERS.labels(outcome="failed").inc()
            self._tell(str(exc) if isinstance(exc, DatabaseUnavailable) else self._server.words(exc))
        except Exception:
            logger.exception("Bots' users of Redis could not be kept.", extra={"action": "redis_users_failed"})
        else:
            if self._told:
                logger.info("Bots' users of Redis are kept again.", extra={"action": "redis_users_kept"})
            self._told = ""

    def _tell(self, why: str) -> None:
        """Log why users cannot be kept, once for each reason."""
        if why != self._told:
            logger.warning(
                "Bots' users of Redis cannot be kept up to date (%s); commands travel in replies.",
                why,
                extra={"action": "redis_users_stale"},
            )
        self._told = why
