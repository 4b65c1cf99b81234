"""Adopting a bot: its Job runs, and the database has lost its row. The row comes back; the bot is never replaced.

An asynchronous failover loses the last seconds of commits, and a restore from a backup loses hours. The bots of that
time are in their meetings, and their Jobs and BotRequests say all that their rows need.
"""

import logging
from dataclasses import replace
from typing import TypedDict

from usher_models.db import adoptions
from usher_models.db.adoptions import Obstacle
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.reservations import Request
from usher_models.errors import InvalidMeeting
from usher_models.states import Source
from usher_operator.kube.botrequest import BotRequest, InvalidRequest
from usher_operator.kube.job_status import meeting_id_of, user_id_of
from usher_operator.kube.port import Json
from usher_operator.lifecycle.allowed_spec import AllowedSpec
from usher_operator.lifecycle.lost_bots import SENTENCES, Left
from usher_operator.lifecycle.reservation import of_request

logger = logging.getLogger(__name__)

MOST_REMEMBERED = 10_000


class Names(TypedDict):
    """What a Job says of its row."""

    meeting_id: int
    job_name: str


class Adopter:
    """Puts back the rows of bots whose Jobs exist. Every call can be repeated."""

    def __init__(self, *, database: Database, allowed: AllowedSpec) -> None:
        self._database = database
        self._allowed = allowed
        self._logged: set[tuple[str, str, str]] = set()

    async def adopt(self, request: BotRequest, job: Json) -> Bot | None:
        """The row, which is reserved until the bot speaks; None if it cannot be put back. Raises DatabaseUnavailable.

        The user's limit may be exceeded by it: the bot is in its meeting already.
        """
        wanted = self._wanted(request, job)
        if isinstance(wanted, str):
            self._log_left(request, job, wanted)
            return None
        async with self._database.at_once() as connection:
            bot = await adoptions.adopt(connection, wanted, **_names(job))
        if bot is None:
            self._log_left(request, job, await self._obstacle(wanted, job) or Obstacle.ID_TAKEN)
        else:
            logger.warning(
                "Put back the row of a bot that runs.",
                extra={"action": "adopted", "meeting_id": bot.meeting_id, **request.log_fields()},
            )
        return bot

    async def why_not(self, request: BotRequest, job: Json) -> Left | Obstacle | None:
        """Why the row could not be put back now; None if it could. Writes nothing. Raises DatabaseUnavailable."""
        wanted = self._wanted(request, job)
        return wanted if isinstance(wanted, str) else await self._obstacle(wanted, job)

    def _wanted(self, request: BotRequest, job: Json) -> Request | Left:
        user_id = user_id_of(job)
        if user_id is None or meeting_id_of(job) is None:
            return Left.ID_UNKNOWN
        try:
            wanted = of_request(
                request,
                user_id=user_id,
                default_driver=self._allowed.default_driver,
                allowed_private_hosts=self._allowed.private_meeting_hosts,
            )
        except (InvalidMeeting, InvalidRequest):
            return Left.REQUEST_INVALID
        return replace(wanted, source=Source.ADOPTION)

    async def _obstacle(self, wanted: Request, job: Json) -> Obstacle | None:
        async with self._database.reading() as connection:
            return await adoptions.obstacle(connection, wanted, **_names(job))

    def _log_left(self, request: BotRequest, job: Json, why: Left | Obstacle) -> None:
        """Once for each Job and cause: a sweep finds it again every few seconds."""
        key = (request.uid, job["metadata"]["name"], str(why))
        if key in self._logged:
            return
        if len(self._logged) >= MOST_REMEMBERED:
            self._logged.clear()
        self._logged.add(key)
        logger.error(
            "A bot without a row cannot be adopted: %s",
            SENTENCES[why],
            extra={
                "action": "not_adopted",
                "why": str(why),
                "job": job["metadata"]["name"],
                "meeting_id": meeting_id_of(job),
                **request.log_fields(),
            },
        )


def _names(job: Json) -> Names:
    return {"meeting_id": meeting_id_of(job) or 0, "job_name": job["metadata"]["name"]}
