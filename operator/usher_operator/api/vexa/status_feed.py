"""The feed of status changes behind `/ws`: one query per second, and none while no client follows.

It reads the audit trail, so every replica sees the changes of all others without Redis. For clients behind a gateway of
Vexa the feed also publishes to the Redis channels that those gateways read; each replica does, which repeats a frame
and harms nobody.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from usher_models.db import status_changes
from usher_models.db.engine import Database
from usher_models.db.status_changes import StatusChange
from usher_models.errors import Unavailable
from usher_operator.api.vexa.legacy_statuses import status_word

logger = logging.getLogger(__name__)

POLL_S = 1.0
BATCH = 5_000
QUEUED_MAX = 256

Announce = Callable[[Sequence[str], str], Awaitable[None]]


@dataclass(eq=False, kw_only=True)
class Follower:
    """A client that follows a user's meetings. `behind` is set when it reads too slowly."""

    user_id: int
    frames: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(QUEUED_MAX))
    behind: bool = False

    def send(self, frame: str) -> None:
        """Queue a frame."""
        try:
            self.frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.behind = True


class StatusFeed:
    """Hands each change of status to the followers of its user."""

    def __init__(self, database: Database, *, legacy: bool = False, announce: Announce | None = None) -> None:
        self.followers: set[Follower] = set()
        self._database = database
        self._legacy = legacy
        self._announce = announce
        self._since: datetime | None = None
        self._seen: dict[tuple[int, int], datetime] = {}
        self._polling = asyncio.Lock()

    async def follow(self, follower: Follower) -> None:
        """Hand every change from now on to a follower."""
        self.followers.add(follower)
        if self._since is None:
            await self._poll_safely()

    async def running(self, _: web.Application) -> AsyncIterator[None]:
        """Poll while the application runs."""
        task = asyncio.create_task(self._run(), name="status-feed")
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _run(self) -> None:
        while True:
            await self._poll_safely()
            await asyncio.sleep(POLL_S)

    async def _poll_safely(self) -> None:
        try:
            async with self._polling:
                await self.poll()
        except Unavailable as exc:
            logger.info("Changes of status are read later: %s", exc, extra={"action": "status_feed_postponed"})
        except Exception:
            logger.exception("Changes of status could not be read.", extra={"action": "status_feed_failed"})

    async def poll(self) -> None:
        """Hand on what changed since the last time. Raises DatabaseUnavailable."""
        if not self.followers and self._announce is None:
            self._since = None
            return
        async with self._database.reading() as connection:
            first = self._since is None
            since = self._since or await status_changes.now(connection)
            changes = await status_changes.changes_since(connection, since, limit=BATCH)
        fresh = [change for change in changes if (change.meeting_id, change.seq) not in self._seen]
        self._move_on(since, changes)
        for change in () if first else fresh:
            await self._hand_on(change)

    def _move_on(self, since: datetime, changes: Sequence[StatusChange]) -> None:
        """Remember what was read, for as long as it is read again."""
        newest = max([since, *(change.at for change in changes)])
        # A full batch would be read again and again; late commits among it are given up.
        overlap = timedelta(seconds=status_changes.OVERLAP_S)
        self._since = newest + overlap if len(changes) == BATCH else newest
        seen = self._seen | {(change.meeting_id, change.seq): change.at for change in changes}
        self._seen = {key: at for key, at in seen.items() if at > newest - 2 * overlap}

    async def _hand_on(self, change: StatusChange) -> None:
        frame = self.frame(change)
        for follower in self.followers:
            if follower.user_id == change.user_id:
                follower.send(frame)
        if self._announce is not None:
            await self._announce(channels(change), frame)

    def frame(self, change: StatusChange) -> str:
        """A change as clients of Vexa read it."""
        return status_frame(
            {"id": change.meeting_id, "platform": change.platform, "native_id": change.native_id},
            status=status_word(change.status) if self._legacy else change.status,
            user_id=change.user_id,
            at=change.at,
        )


def status_frame(meeting: dict[str, Any], *, status: str, user_id: int, at: datetime) -> str:
    """The frame of one status."""
    return json.dumps(
        {
            "type": "meeting.status",
            "meeting": meeting,
            "payload": {"status": status},
            "user_id": user_id,
            "ts": at.isoformat(),
        }
    )


def channels(change: StatusChange) -> tuple[str, ...]:
    """The Redis channels of one meeting, as later gateways and as those of v0.6 name it, and of its user."""
    named = f"{change.user_id}:{change.platform}:{change.native_id}"
    return f"bm:meeting:{change.meeting_id}:status", f"bm:meeting:{named}:status", f"u:{change.user_id}:meetings"
