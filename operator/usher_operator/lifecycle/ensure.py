"""Doing what a BotRequest asks for: one idempotent act for created, changed, resumed and re-listed objects.

    new, or without a row ──► reserve ──► Job ──► done
               with a row ──► apply what changed ──► Job, if it is missing

Every step can be repeated; a crash between any two of them is cured by the next call.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from usher_models.db import bots, desired_state, reservations, users
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.leader_lock import Fence, require_lead
from usher_models.db.shares import on_behalf_of
from usher_models.errors import (
    ConnectionTaken,
    DatabaseForbids,
    DatabaseWentBack,
    DuplicateMeeting,
    ForeignDatabase,
    InvalidMeeting,
    Refused,
    RowMissing,
    Unavailable,
)
from usher_models.states import Desired, Reason
from usher_operator.kube.botrequest import BotRequest, BotRequestSpec
from usher_operator.kube.job import JobSettings
from usher_operator.kube.job_status import finished, is_of
from usher_operator.kube.port import KubePort
from usher_operator.lifecycle.adopt import Adopter
from usher_operator.lifecycle.allowed_spec import AllowedSpec
from usher_operator.lifecycle.commands import Commander
from usher_operator.lifecycle.first_tries import FirstTries
from usher_operator.lifecycle.hold import Hold
from usher_operator.lifecycle.refuse import Refuser
from usher_operator.lifecycle.reservation import of_request
from usher_operator.lifecycle.start_job import JobStarter
from usher_operator.redis_acl.users import RedisUsers
from usher_operator.telemetry import RESERVATIONS

logger = logging.getLogger(__name__)

# What passes within seconds is not worth a status. These may take minutes, or need a person.
SHOWN = (DatabaseForbids, DatabaseWentBack, ForeignDatabase, RowMissing)


class Ensurer:
    """Handles BotRequests. It has no memory: the row is the commit point."""

    def __init__(
        self,
        *,
        database: Database,
        kube: KubePort,
        commander: Commander,
        redis_users: RedisUsers,
        job_settings: JobSettings,
        allowed: AllowedSpec,
        hold: Hold,
        now: Callable[[], datetime],
        fence: Fence,
    ) -> None:
        self._fence = fence
        self._database = database
        self._hold = hold
        self._kube = kube
        self.adopter = Adopter(database=database, allowed=allowed)
        self._first_tries = FirstTries(now, leading_for_s=lambda: fence.held_for_s)
        self._commander = commander
        self._allowed = allowed
        self._refuser = Refuser(kube=kube, now=now, installation=job_settings.installation)
        self._starter = JobStarter(
            database=database, kube=kube, redis_users=redis_users, job_settings=job_settings, fence=fence
        )

    def leave_to_leader(self, request: BotRequest) -> None:
        """Note that a request was seen while another process led."""
        self._first_tries.leave_to_leader(request)

    async def ensure(self, request: BotRequest) -> None:
        """Do what a request asks for. Raises DatabaseUnavailable, DatabaseWentBack, ForeignDatabase or
        KubernetesUnavailable: then call again later.

        Raises NotLeading if this process has lost the lead meanwhile: another one does it.
        """
        try:
            await self._ensure(request)
        except Exception as exc:
            if not isinstance(exc, Unavailable) or isinstance(exc, SHOWN):
                await self._refuser.show_error(request, exc)
            raise

    async def _ensure(self, request: BotRequest) -> None:
        self._hold.require_own_database()
        if request.deleting:
            await self.withdraw(request)
            return
        if request.new and self._first_tries.is_first(request):
            await self._admit(request)
            return
        bot = await self._row_of(request)
        if bot is not None:
            await self._apply(request, bot)
        elif not request.over:
            await self._admit_unless_running(request)
        elif not request.refused:
            logger.warning(
                "The BotRequest shows the end of its bot and has no row; it is left alone.",
                extra={"action": "ended_without_row", **request.log_fields()},
            )

    async def withdraw(self, request: BotRequest) -> None:
        """Ask the bot of a deleted request to leave. Kubernetes collects the Job by itself."""
        bot = await self._row_of(request)
        if bot is not None and bot.live and bot.request_uid == request.uid:
            await self._commander.leave([bot], reason=Reason.REQUEST_DELETED)
            await self._starter.end_unless_started(bot)

    async def _admit_unless_running(self, request: BotRequest) -> None:
        adopted = await self._adopt_running(request)
        if adopted is None:
            await self._admit(request)
        else:
            await self._apply(request, adopted)

    async def _admit(self, request: BotRequest) -> None:
        try:
            spec = request.spec()
            self._allowed.check(spec)
            # A user whose row is locked must not hold every connection of the watch.
            with on_behalf_of(f"user {spec.user_id or spec.user_email}"):
                reservation = await self._reserve(request, spec)
        except (Refused, InvalidMeeting) as exc:
            await self._refuse(request, exc)
            return
        if reservation.created:
            RESERVATIONS.labels(outcome="admitted").inc()
            logger.info("Reserved a slot.", extra={"action": "slot_reserved", **_fields(request, reservation.bot)})
        await self._apply(request, reservation.bot)

    async def _refuse(self, request: BotRequest, error: Refused | InvalidMeeting) -> None:
        # Another leader may have admitted it meanwhile.
        require_lead(self._fence)
        await self._refuser.refuse(request, error)

    async def _adopt_running(self, request: BotRequest) -> Bot | None:
        """The bot that runs for the request although its row is lost; None if there is none.

        Raises RowMissing if there is one and its row cannot be put back: a second one would join beside it.
        """
        jobs = await self._kube.list_jobs(request.namespace, request_uid=request.uid)
        for job in jobs:
            if is_of(job, request):
                # A row that was not there before the Job was looked for may have made it.
                bot = await self._row_of(request) or await self.adopter.adopt(request, job)
                if bot is None and not finished(job):
                    raise RowMissing(f"The bot of {request.name} runs as {job['metadata']['name']} without a row.")
                return bot
        return None

    async def _apply(self, request: BotRequest, bot: Bot) -> None:
        """Apply what changed in the spec, and create the Job where it is missing."""
        conflict = _conflict(request, bot)
        if conflict is not None:
            if not request.refused:
                await self._refuse(request, conflict)
            return
        if bot.request_uid is None or request.generation > bot.request_generation:
            bot = await self._update(request, bot)
        if request.wants_leave and bot.live and bot.desired is Desired.RUN:
            await self._commander.leave([bot], reason=Reason.STOPPED)
            bot = await self._read(bot)
        # The end that a BotRequest shows may be lost in the row: its bot must not join again.
        if bot.live and bot.job_created_at is None and not request.ended:
            await self._starter.start(bot)

    async def _reserve(self, request: BotRequest, spec: BotRequestSpec) -> reservations.Reservation:
        try:
            async with self._hold.known_ids.alarm(self._database):
                return await self._reserve_once(request, spec)
        except DatabaseWentBack as exc:
            if exc.is_news:
                self._hold.begin()
            raise

    async def _reserve_once(self, request: BotRequest, spec: BotRequestSpec) -> reservations.Reservation:
        async with self._database.at_once() as connection:
            # It may have waited for the connection, or was stopped meanwhile.
            require_lead(self._fence)
            user_id = spec.user_id or await users.user_id_by_email(connection, spec.user_email or "")
            self._hold.require_none_lost(user_id)
            wanted = of_request(
                request,
                user_id=user_id,
                allowed_private_hosts=self._allowed.private_meeting_hosts,
                default_driver=self._allowed.default_driver,
            )
            return await self._hold.known_ids.reserve(connection, wanted)

    async def _update(self, request: BotRequest, bot: Bot) -> Bot:
        spec = request.spec()
        if bot.live:
            config = {key: value for key, value in spec.mutable_config.items() if value is not None}
            await self._commander.configure(bot, config, request_generation=request.generation)
        async with self._database.at_once() as connection:
            await desired_state.note_request(
                connection,
                bot.meeting_id,
                namespace=request.namespace,
                name=request.name,
                uid=request.uid,
                generation=request.generation,
            )
        return await self._read(bot)

    async def _row_of(self, request: BotRequest) -> Bot | None:
        async with self._database.reading() as connection:
            return await bots.bot_by_connection(connection, request.connection_id)

    async def _read(self, bot: Bot) -> Bot:
        async with self._database.reading() as connection:
            return await bots.bot_by_id(connection, bot.meeting_id) or bot


def _conflict(request: BotRequest, bot: Bot) -> Refused | None:
    """Why the connection id of a request belongs to another request; None if this is the one.

    A row that the REST API reserved has no request yet, but has the name of the one that will be created: a request of
    another name, or for another user, only guessed the connection id.
    """
    if bot.request_uid is not None:
        return None if bot.request_uid == request.uid else DuplicateMeeting(meeting_id=bot.meeting_id)
    expected = (bot.request_namespace, bot.request_name)
    if expected == (None, None):
        return None
    matches = expected == (request.namespace, request.name)
    return None if matches and request.raw_spec.get("userId") == bot.user_id else ConnectionTaken()


def _fields(request: BotRequest, bot: Bot) -> dict[str, object]:
    return {**request.log_fields(), "meeting_id": bot.meeting_id}
