"""Adopting a bot: its Job runs, and the database has lost its row. The row comes back; the bot is never replaced.

An asynchronous failover loses the last seconds of commits, and a restore from a backup loses hours. The bots of that
time are in their meetings, and their Jobs and BotRequests say all that their rows need.
"""

import logging
from dataclasses import replace

from usher_models.db import adoptions
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.errors import InvalidMeeting
from usher_models.states import Source
from usher_operator.kube.botrequest import BotRequest, InvalidRequest
from usher_operator.kube.job_status import meeting_id_of, user_id_of
from usher_operator.kube.port import Json
from usher_operator.lifecycle.allowed_spec import AllowedSpec
from usher_operator.lifecycle.reservation import of_request

logger = logging.getLogger(__name__)


class Adopter:
    """Puts back the rows of bots whose Jobs exist. Every call can be repeated."""

    def __init__(self, *, database: Database, allowed: AllowedSpec) -> None:
        self._database = database
        self._allowed = allowed

    async def adopt(self, request: BotRequest, job: Json) -> Bot | None:
        """The row, which is reserved until the bot speaks; None if it cannot be put back. Raises DatabaseUnavailable.

        The user's limit may be exceeded by it: the bot is in its meeting already.
        """
        meeting_id, user_id = meeting_id_of(job), user_id_of(job)
        if meeting_id is None or user_id is None:
            return None
        fields = {"meeting_id": meeting_id, **request.log_fields()}
        try:
            wanted = of_request(
                request,
                user_id=user_id,
                default_driver=self._allowed.default_driver,
                allowed_private_hosts=self._allowed.private_meeting_hosts,
            )
        except (InvalidMeeting, InvalidRequest) as exc:
            logger.error("A bot without a row cannot be adopted: %s", exc, extra={"action": "not_adopted", **fields})
            return None
        async with self._database.at_once() as connection:
            bot = await adoptions.adopt(
                connection,
                replace(wanted, source=Source.ADOPTION),
                meeting_id=meeting_id,
                job_name=job["metadata"]["name"],
            )
        if bot is None:
            logger.error(
                "A bot without a row cannot be adopted: its user, its id or its place in the meeting is taken.",
                extra={"action": "not_adopted", **fields},
            )
        else:
            logger.warning("Put back the row of a bot that runs.", extra={"action": "adopted", **fields})
        return bot
