"""May this pod speak for this meeting? One type holds who asks, one SQL condition and one comparison answer.

A pod may speak when it belongs to the meeting's Job, and no other pod spoke before it. The Job is known by its
namespace and name, which only Usher gives; the pod by its uid, which its token proves.
"""

from dataclasses import dataclass

from usher_models.db.bots import Bot
from usher_models.errors import Forbidden


@dataclass(frozen=True, kw_only=True, slots=True)
class Speaker:
    """A pod that reports, as its token proves it: its uid, and the Job that it belongs to."""

    namespace: str
    job_name: str
    pod_uid: str

    def require_job_of(self, bot: Bot) -> None:
        """Raise Forbidden unless the pod belongs to the bot's Job."""
        if (self.namespace, self.job_name) != (bot.request_namespace, bot.job_name):
            raise Forbidden(f"The token belongs to a pod of the Job {self.job_name}, which is not this meeting's.")

    def is_fenced_off(self, bot: Bot) -> bool:
        """True if another pod of the same Job spoke first."""
        return bot.pod_uid is not None and bot.pod_uid != self.pod_uid


def may_speak(speaker: str) -> str:
    """The condition that a pod may speak for `b`, a row of usher.bots.

    `speaker` is the prefix of its fields: ":" when they are parameters, "given." when they are columns of `given`.
    """
    return (
        f"b.request_namespace = {speaker}namespace AND b.job_name = {speaker}job_name"
        f" AND (b.pod_uid IS NULL OR b.pod_uid = {speaker}pod_uid)"
    )
