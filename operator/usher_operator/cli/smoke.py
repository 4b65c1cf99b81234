"""`usher smoke`: one simulated bot lives its whole life, from the BotRequest to the closed row. `helm test` runs it.

Everything takes part: the API server, operate, the Job and its pod, serve, the database. Nothing of it stays but the
meeting's row and its user.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from usher_models.db import meeting_search, users
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.states import Status
from usher_operator.cli import output
from usher_operator.kube.adapter import GROUP, VERSION
from usher_operator.kube.port import Json

# A name that no mail can be sent to (RFC 2606).
EMAIL = "smoke@usher.invalid"
# Several may be tested at once.
LIMIT = 5
INTERVAL_S = 0.5


class SmokePort(Protocol):
    """What of Kubernetes the test needs."""

    async def create_request(self, namespace: str, request: Json) -> bool:
        """Create a BotRequest. Raises CreateRefused."""

    async def delete_request(self, namespace: str, name: str, *, uid: str | None) -> bool:
        """Delete a BotRequest."""


class Smoke:
    """One test of an installation."""

    def __init__(self, *, database: Database, kube: SmokePort, namespace: str, say: Callable[[str], None]) -> None:
        self._database = database
        self._kube = kube
        self._namespace = namespace
        self._say = say

    async def run(
        self,
        name: str,
        *,
        timeout_s: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> bool:
        """Whether the bot of a BotRequest called `name` completed its meeting within `timeout_s` seconds."""
        async with self._database.transaction() as connection:
            user_id = await users.add_user(connection, EMAIL, max_concurrent_bots=LIMIT)
        await self._kube.create_request(self._namespace, body(name, user_id=user_id))
        try:
            return await self._followed(name, deadline=clock() + timeout_s, clock=clock, sleep=sleep)
        finally:
            await self._kube.delete_request(self._namespace, name, uid=None)

    async def _followed(
        self, name: str, *, deadline: float, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> bool:
        said = ""
        while clock() < deadline:
            bot = await self._read(name)
            line = output.progress_line(bot) if bot else "Waiting for operate to take up the BotRequest."
            if line != said:
                self._say(line)
            said = line
            if bot is not None and not bot.live:
                return bot.status is Status.COMPLETED
            await sleep(INTERVAL_S)
        self._say("Time is up.")
        return False

    async def _read(self, name: str) -> Bot | None:
        async with self._database.transaction() as connection:
            return await meeting_search.bot_named(connection, f"{self._namespace}/{name}")


def body(name: str, *, user_id: int) -> Json:
    """The BotRequest: a bot that joins at once and stays for three seconds."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "BotRequest",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "usher-smoke"}},
        "spec": {
            "userId": user_id,
            "platform": "jitsi",
            "nativeMeetingId": name,
            "driver": "simulated",
            "simulation": {"bootSeconds": 0, "lobbySeconds": 0, "meetingSeconds": 3, "leaveSeconds": 0},
        },
    }
