"""Closing a meeting from its finished Job: the bot ended without reporting, and Kubernetes knows how."""

from usher_models.db import bots
from usher_models.db.bots import BotSummary
from usher_models.db.engine import Database
from usher_models.db.transitions import Closing
from usher_models.errors import KubernetesUnavailable
from usher_models.states import Reason, Source, Status, sentence
from usher_operator.kube.api_budget import ApiBudget
from usher_operator.kube.evidence import Verdict, verdict
from usher_operator.kube.job_status import connection_id_of, finished, meeting_id_of
from usher_operator.kube.port import Json, KubePort
from usher_operator.lifecycle.close import Closer

MODE = "finished_job"
SENTENCE_MAX_LENGTH = 300


class FinishedJob:
    """Closes the meeting of one Job within seconds of its end, as the watch reports it."""

    def __init__(self, *, database: Database, kube: KubePort, closer: Closer) -> None:
        self._database = database
        self._kube = kube
        self._closer = closer

    async def close(self, job: Json) -> None:
        """End the row of a Job that has ended; nothing for any other. Raises Unavailable."""
        meeting_id = meeting_id_of(job)
        if meeting_id is None or not finished(job):
            return
        async with self._database.reading() as connection:
            bot = await bots.bot_by_id(connection, meeting_id)
        if bot is None or not bot.live or bot.connection_id != connection_id_of(job):
            return
        await close_finished(self._closer, bot, job, await self._pod(job), api=ApiBudget())

    async def _pod(self, job: Json) -> Json | None:
        metadata = job["metadata"]
        try:
            pods = await self._kube.list_pods(metadata["namespace"], job_name=metadata["name"])
        except KubernetesUnavailable:
            return None
        return pods[0] if pods else None


async def close_finished(closer: Closer, bot: BotSummary, job: Json, pod: Json | None, *, api: ApiBudget) -> None:
    """Close the row of a bot whose Job or container has ended; nothing while it runs. Raises DatabaseUnavailable."""
    found = verdict(job, pod)
    if found is None:
        return
    target, reason = Status.FAILED, found.reason
    if reason == Reason.EXITED_ZERO:
        # Exit code 0 is a success only of a bot that was in its meeting.
        target, reason = (Status.COMPLETED, reason) if bot.joined_at else (Status.FAILED, Reason.EXITED_SILENTLY)
    closing = Closing(meeting_id=bot.meeting_id, reason=reason, message=_message(reason, found), detail=found.detail)
    await closer.close([closing], mode=MODE, target=target, source=Source.EVIDENCE, api=api, keep_jobs=finished(job))


def _message(reason: str, found: Verdict) -> str:
    """The sentence of the end, and the bot's own last one; the tail of a log is no sentence and stays in the detail."""
    message = found.message or sentence(reason)
    said = str(found.detail.get("termination_message", "")).strip()
    if not said or "\n" in said or len(said) > SENTENCE_MAX_LENGTH:
        return message
    return f"{message} Its last words: {said}"
