"""Creating the Job of a reserved bot, or ending the reservation when the bot is no longer wanted."""

import logging

from usher_models.db import status_writes
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.leader_lock import Fence, require_lead
from usher_models.errors import KubernetesUnavailable
from usher_models.states import Desired, Reason, Source, Status
from usher_operator.kube.job import JobSettings, build_job
from usher_operator.kube.job_status import connection_id_of, finished, installation_of
from usher_operator.kube.port import CreateForbidden, CreateRefused, KubePort
from usher_operator.lifecycle.close import Ends
from usher_operator.lifecycle.created_jobs import CreatedJobs
from usher_operator.redis_acl.users import RedisUsers

logger = logging.getLogger(__name__)


class JobStarter:
    """Creates Jobs. Every call can be repeated: the Job's name follows from the meeting's id."""

    def __init__(
        self,
        *,
        database: Database,
        kube: KubePort,
        redis_users: RedisUsers,
        job_settings: JobSettings,
        fence: Fence,
    ) -> None:
        self._database = database
        self._fence = fence
        self._ends = Ends(database, fence=fence)
        self._kube = kube
        self._redis_users = redis_users
        self._job_settings = job_settings
        self._created_jobs = CreatedJobs(database)

    async def start(self, bot: Bot) -> None:
        """Create the bot's Job unless it was asked to leave. Raises DatabaseUnavailable, KubernetesUnavailable, and
        NotLeading: the row may have ended under another leader."""
        if bot.desired is Desired.LEAVE and await self.end_unless_started(bot):
            return
        require_lead(self._fence)
        self._redis_users.expect(meeting_id=bot.meeting_id, connection_id=bot.connection_id)
        try:
            if not await self._kube.create_job(bot.request_namespace or "", build_job(bot, self._job_settings)):
                await self._check_ours(bot)
        except CreateForbidden as exc:
            await self._note_forbidden(bot, str(exc))
            raise
        except CreateRefused as exc:
            await self._ends.reservation(
                bot,
                target=Status.FAILED,
                source=Source.OPERATOR,
                reason=Reason.JOB_CREATE_FAILED,
                message=str(exc),
            )
            return
        await self._created_jobs.record(bot.meeting_id)
        logger.info("Created the Job.", extra={"action": "job_created", "meeting_id": bot.meeting_id})

    async def _note_forbidden(self, bot: Bot, message: str) -> None:
        """The reserved deadline ends what is still forbidden then; until then its BotRequest says why it waits."""
        async with self._database.at_once() as connection:
            await status_writes.note_reason(
                connection, bot.meeting_id, reason=Reason.JOB_CREATE_FORBIDDEN, message=message
            )

    async def _check_ours(self, bot: Bot) -> None:
        """A Job of that name exists: ours from an earlier call, or one that is in the way. A leftover goes; what runs,
        or belongs to another installation, is never touched."""
        namespace = bot.request_namespace or ""
        job = await self._kube.get_job(namespace, bot.job_name)
        if job is None:
            raise KubernetesUnavailable(f"The Job {bot.job_name} vanished while it was created; trying again.")
        installation = installation_of(job)
        if installation not in (None, self._job_settings.installation):
            raise KubernetesUnavailable(f"A Job of another Usher installation has the name {bot.job_name}.")
        if connection_id_of(job) != bot.connection_id:
            if installation is not None and not finished(job):
                raise KubernetesUnavailable(f"The Job {bot.job_name} runs for a meeting that has no row.")
            # Exactly that one: another leader may have replaced it meanwhile.
            await self._kube.delete_job(namespace, bot.job_name, uid=job["metadata"].get("uid"))
            raise KubernetesUnavailable(f"A leftover Job {bot.job_name} of another database is being removed.")

    async def end_unless_started(self, bot: Bot) -> bool:
        """End a reservation that is no longer wanted, unless its Job exists. True if nothing is left to start."""
        if bot.status is not Status.RESERVED or bot.job_created_at is not None:
            return False
        if await self._kube.get_job(bot.request_namespace or "", bot.job_name) is not None:
            return False
        # Another call may have ended it a moment ago: nothing is left to start then either.
        await self._ends.unstarted(bot)
        return True
