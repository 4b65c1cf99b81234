"""Clients that look up their meetings, all the time and once more at the end."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.faults.history.evidence import TERMINAL
from tests.faults.history.format import Outcome, What
from tests.faults.history.recorder import Recorder, outcome_of

EVERY_S = 0.1
TRY_S = 10.0
PAUSE_S = 0.3
AT_ONCE = 8


@dataclass
class Reader:
    """`keys` are the users' keys to the REST API at `url`."""

    recorder: Recorder
    session: aiohttp.ClientSession
    url: str
    keys: Mapping[int, str]
    dice: random.Random
    users: dict[int, int] = field(default_factory=dict)
    """Whose each known meeting is."""
    _new: deque[int] = field(default_factory=deque)
    _over: set[int] = field(default_factory=set)

    def know(self, meeting: int, user: int) -> None:
        """A meeting exists."""
        if user in self.keys and meeting not in self.users:
            self.users[meeting] = user
            self._new.append(meeting)

    async def read(self) -> None:
        """Look up one known meeting after the other, for ever: each once soon, and those that live at random."""
        while True:
            live = self._new or [meeting for meeting in self.users if meeting not in self._over] or list(self.users)
            if live:
                await self.get(self._new.popleft() if self._new else self.dice.choice(live))
            await asyncio.sleep(EVERY_S)

    async def get(self, meeting: int) -> Outcome:
        """One lookup."""
        user = self.users[meeting]
        number = self.recorder.invoke(f"reader {user}", What.GET, user=user, meeting=meeting)
        code, got = await self._get(meeting, user)
        outcome = outcome_of(code)
        if outcome is not Outcome.OK:
            self.recorder.answer(number, outcome, code=code)
            return outcome
        self.recorder.answer(number, outcome, code=code, meeting=got["id"], status=got["status"], reason=got["reason"])
        if got["status"] in TERMINAL:
            self._over.add(meeting)
        return outcome

    async def _get(self, meeting: int, user: int) -> tuple[int, dict[str, Any]]:
        headers, timeout = {"X-API-Key": self.keys[user]}, aiohttp.ClientTimeout(total=TRY_S)
        try:
            async with self.session.get(f"{self.url}/bots/id/{meeting}", headers=headers, timeout=timeout) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 0, {}

    async def read_all(self, *, within_s: float) -> None:
        """Look up every meeting until it is answered."""
        turns, deadline = asyncio.Semaphore(AT_ONCE), time.monotonic() + within_s

        async def answered(meeting: int) -> None:
            async with turns:
                outcome = await self.get(meeting)
                while outcome is Outcome.UNKNOWN and time.monotonic() < deadline:
                    await asyncio.sleep(PAUSE_S)
                    outcome = await self.get(meeting)

        await asyncio.gather(*map(answered, list(self.users)))
