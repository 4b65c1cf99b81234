"""Making what a BotRequest asks for true: one idempotent act for created, changed, resumed and re-listed objects.

    new, or not known ──► reserve ──► Job ──► done
                known ──► take over what changed ──► Job, if it is missing

Every step can be repeated; a crash between any two of them is cured by the next call.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from usher_models.db import bots, desired_state, reservations, transitions, users
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.errors import ConnectionTaken, DuplicateMeeting, InvalidMeeting, KubernetesUnavailable, Refused
from usher_models.states import Desired, Reason, Source, Status
from usher_operator.kube import botrequest_status, events
from usher_operator.kube.botrequest import BotRequest, BotRequestSpec, ImageNotAllowed, to_reservation
from usher_operator.kube.job import CONNECTION_ANNOTATION, JobSettings, build_job
from usher_operator.kube.port import CreateRefused, KubePort
from usher_operator.lifecycle.commands import Commander
from usher_operator.lifecycle.created_jobs import CreatedJobs
from usher_operator.redis_acl.users import RedisUsers
from usher_operator.telemetry import RESERVATIONS, TRANSITIONS

logger = logging.getLogger(__name__)


class Ensurer:
    """Carries out BotRequests. It has no memory: the row is the commit point."""

    def __init__(
        self,
        *,
        database: Database,
        kube: KubePort,
        commander: Commander,
        redis_users: RedisUsers,
        job_settings: JobSettings,
        allows_image: Callable[[str], bool],
        now: Callable[[], datetime],
        allowed_private_hosts: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._kube = kube
        self._commander = commander
        self._redis_users = redis_users
        self._job_settings = job_settings
        self._allows_image = allows_image
        self._now = now
        self._allowed_private_hosts = allowed_private_hosts
        self._created_jobs = CreatedJobs(database)

    async def ensure(self, request: BotRequest) -> None:
        """Make a request true. Raises DatabaseUnavailable or KubernetesUnavailable: then call again later."""
        if request.deleting:
            await self.withdraw(request)
            return
        if request.new:
            await self._admit(request)
            return
        async with self._database.reading() as connection:
            bot = await bots.bot_by_connection(connection, request.connection_id)
        if bot is None and not request.refused:
            await self._admit(request)
        elif bot is not None:
            await self._follow(request, bot)

    async def withdraw(self, request: BotRequest) -> None:
        """The request is gone: its bot leaves. Kubernetes collects the Job by itself."""
        async with self._database.reading() as connection:
            bot = await bots.bot_by_connection(connection, request.connection_id)
        if bot is not None and bot.live and bot.request_uid == request.uid:
            await self._commander.leave([bot], reason=Reason.REQUEST_DELETED)
            await self._end_unless_started(bot)

    async def _admit(self, request: BotRequest) -> None:
        try:
            spec = request.spec()
            self._check_image(spec)
            async with self._database.at_once() as connection:
                user_id = spec.user_id or await users.user_id_by_email(connection, spec.user_email or "")
                wanted = to_reservation(
                    request, spec, user_id=user_id, allowed_private_hosts=self._allowed_private_hosts
                )
                held = await reservations.reserve(connection, wanted)
        except (Refused, InvalidMeeting) as exc:
            await self._refuse(request, exc)
            return
        if held.created:
            RESERVATIONS.labels(outcome="admitted").inc()
            logger.info("Reserved a slot.", extra={"action": "slot_reserved", **_fields(request, held.bot)})
        await self._follow(request, held.bot)

    def _check_image(self, spec: BotRequestSpec) -> None:
        if spec.image and not self._allows_image(spec.image):
            raise ImageNotAllowed(f"spec.image {spec.image} is not allowed here; leave it out or ask for it to be.")

    async def _refuse(self, request: BotRequest, error: Refused | InvalidMeeting) -> None:
        RESERVATIONS.labels(outcome=error.code).inc()
        logger.info(
            "Refused a request: %s", error, extra={"action": "refused", "reason": error.code, **request.log_fields()}
        )
        now = self._now()
        status = botrequest_status.refusal_of(error, spec=request.raw_spec, generation=request.generation, now=now)
        await self._kube.patch_request_status(request.namespace, request.name, status)
        told = events.event(
            namespace=request.namespace,
            name=request.name,
            uid=request.uid,
            kind="Warning",
            reason=botrequest_status.camel(error.code),
            message=str(error),
            now=now,
            # The watch and the sweep may both come to refuse it.
            once=f"refused/{request.generation}/{error.code}",
        )
        await self._kube.create_event(request.namespace, told)

    async def _follow(self, request: BotRequest, bot: Bot) -> None:
        """Take over what changed in the spec, and create the Job where it is missing."""
        foreign = _foreign(request, bot)
        if foreign is not None:
            if not request.refused:
                await self._refuse(request, foreign)
            return
        if bot.request_uid is None or request.generation > bot.request_generation:
            bot = await self._take_over(request, bot)
        if request.wants_leave and bot.live and bot.desired is Desired.RUN:
            await self._commander.leave([bot], reason=Reason.STOPPED)
            bot = await self._read(bot)
        if bot.live and bot.job_created_at is None:
            await self._start(bot)

    async def _take_over(self, request: BotRequest, bot: Bot) -> Bot:
        spec = request.spec()
        if bot.live:
            wanted = {key: value for key, value in spec.mutable_config.items() if value is not None}
            await self._commander.configure(bot, wanted)
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

    async def _read(self, bot: Bot) -> Bot:
        async with self._database.reading() as connection:
            return await bots.bot_by_id(connection, bot.meeting_id) or bot

    async def _start(self, bot: Bot) -> None:
        if bot.desired is Desired.LEAVE and await self._end_unless_started(bot):
            return
        namespace = bot.request_namespace or ""
        self._redis_users.expect(meeting_id=bot.meeting_id, connection_id=bot.connection_id)
        try:
            if not await self._kube.create_job(namespace, build_job(bot, self._job_settings)):
                await self._check_ours(bot, namespace)
        except CreateRefused as exc:
            await self._end_reserved(bot, Status.FAILED, reason=Reason.JOB_CREATE_FAILED, message=str(exc))
            return
        await self._created_jobs.note(bot.meeting_id)
        logger.info("Created the Job.", extra={"action": "job_created", "meeting_id": bot.meeting_id})

    async def _check_ours(self, bot: Bot, namespace: str) -> None:
        """A Job of that name exists: ours from before, or a leftover of another database, which must go first."""
        job = await self._kube.get_job(namespace, bot.job_name)
        if job is None:
            raise KubernetesUnavailable(f"The Job {bot.job_name} vanished while it was created; trying again.")
        if job["metadata"].get("annotations", {}).get(CONNECTION_ANNOTATION) != bot.connection_id:
            await self._kube.delete_job(namespace, bot.job_name)
            raise KubernetesUnavailable(f"A leftover Job {bot.job_name} of another database is being removed.")

    async def _end_unless_started(self, bot: Bot) -> bool:
        """End a reservation that nobody wants any more, unless its Job exists; whether nothing is left to start."""
        if bot.status is not Status.RESERVED or bot.job_created_at is not None:
            return False
        if await self._kube.get_job(bot.request_namespace or "", bot.job_name) is not None:
            return False
        # Another ensure may have ended it a moment ago: then, too, nothing is left to start.
        await self._end_reserved(bot, Status.COMPLETED, reason=Reason.STOPPED_BEFORE_START)
        return True

    async def _end_reserved(self, bot: Bot, target: Status, *, reason: str, message: str | None = None) -> bool:
        async with self._database.at_once() as connection:
            ended = await transitions.move_reserved(
                connection, bot.connection_id, target=target, source=Source.OPERATOR, reason=reason, message=message
            )
        if ended:
            TRANSITIONS.labels(target=target, source=Source.OPERATOR, reason=reason).inc()
            logger.info(
                "Ended a reservation: %s", message or reason, extra={"action": reason, "meeting_id": bot.meeting_id}
            )
        return ended


def _foreign(request: BotRequest, bot: Bot) -> Refused | None:
    """Why a request that names a bot's connection is not the one that stands for it; None when it is.

    A row that the REST API reserved has no request yet, but knows what it will be called: a request of another name, or
    for another user, only guessed the connection.
    """
    if bot.request_uid is not None:
        return None if bot.request_uid == request.uid else DuplicateMeeting(meeting_id=bot.meeting_id)
    expected = (bot.request_namespace, bot.request_name)
    if expected == (None, None):
        return None
    named = expected == (request.namespace, request.name)
    return None if named and request.raw_spec.get("userId") == bot.user_id else ConnectionTaken()


def _fields(request: BotRequest, bot: Bot) -> dict[str, object]:
    return {**request.log_fields(), "meeting_id": bot.meeting_id}
