"""The evidence of a failed meeting, as the REST API answers it."""

from typing import Any

from usher_operator.api.schemas.output import Output, Time


class Decision(Output):
    """The rule by which a meeting was failed."""

    rule: str
    """The rule's name."""

    text: str
    """What the rule says."""

    setting: str | None = None
    """The setting that holds its limit; null if it has none."""

    limit_s: float | None = None
    """The limit in seconds, as it was for this meeting; null if it has none."""


class End(Output):
    """How the meeting ended."""

    at: Time
    """When it was failed."""

    reason: str
    """Why, as a word."""

    message: str
    """Why, as a sentence."""

    fault: str | None
    """Whose doing it was."""

    source: str | None
    """Who failed it."""

    decided_by: Decision | None
    """The rule that decided; null if it is not on record."""

    leave_requested_at: Time | None
    """When the bot was asked to leave; null if it was not."""

    leave_reason: str | None
    """Why it was asked to."""


class Times(Output):
    """When the bot reached the steps of its life; null for those it did not reach."""

    reserved_at: Time | None
    """The slot was reserved."""

    job_created_at: Time | None
    """The Job was created."""

    started_at: Time | None
    """The bot reported that it runs."""

    joined_at: Time | None
    """The bot reported that it is in the meeting."""

    failed_at: Time | None
    """The meeting was failed."""


class StageAt(Output):
    """One stage of the bot."""

    stage: str
    """The stage."""

    at: Time
    """Since when."""


class LastHeartbeat(Output):
    """The bot's last sign of life; null where it never reported."""

    last_at: Time | None
    """When it came."""

    seq: int | None
    """Its number, if the bot counts."""

    silence_s: float | None
    """Seconds between it and the end."""


class PastTransition(Output):
    """One change of the meeting's status."""

    at: Time | None
    """When."""

    from_status: str | None
    """The status before."""

    to_status: str
    """The status after."""

    source: str
    """Who changed it."""

    reason: str
    """Why, as a word."""

    fault: str | None
    """Whose doing it was, of an end."""

    detail: dict[str, Any]
    """What was known then."""


class EventOf(Output):
    """A Kubernetes Event of the Job or its pod."""

    at: str | None
    """When it happened last."""

    about: str | None
    """The name of the Job or pod."""

    type: str | None
    """Normal or Warning."""

    reason: str | None
    """What happened, as a word."""

    message: str | None
    """What happened, as a sentence."""

    count: int
    """How often."""


class LogTail(Output):
    """The last lines that a container logged, without secrets."""

    pod: str
    """The pod."""

    container: str
    """The container."""

    previous: bool
    """True for the run before the container's last restart."""

    newest_lines: bool
    """False if the newest lines are so long that they could not be read."""

    text: str
    """The lines."""


class EvidenceResponse(Output):
    """What was known of a failed meeting soon after its end: at most 256 KiB, without secrets."""

    version: int
    """The version of this form."""

    meeting_id: int
    """The meeting's id."""

    connection_id: str
    """The connection id of its bot."""

    request: str | None
    """Namespace and name of its BotRequest."""

    collected_at: Time
    """When the evidence was collected."""

    end: End
    """How the meeting ended, and who decided it."""

    times: Times
    """When the bot reached the steps of its life."""

    stages: list[StageAt]
    """The last stages, the oldest first."""

    heartbeat: LastHeartbeat
    """The last heartbeat."""

    transitions: list[PastTransition]
    """The last changes of status, the oldest first."""

    job: dict[str, Any] | None
    """The Job with its conditions; null if it was gone."""

    pods: list[dict[str, Any]]
    """The Job's pods with their conditions and containers; empty if they were gone."""

    events: list[EventOf]
    """The last Events of the Job and its pods, the oldest first."""

    logs: list[LogTail]
    """The last log lines of every container that ran."""

    unread: list[str]
    """What could not be read, and why."""

    cut: list[str]
    """What was left out because the evidence would be too long."""
