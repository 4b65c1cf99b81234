"""The state machine of a meeting, as data.

    reserved ──► starting ──► active ──► stopping ──► completed
        └───────────┴───────────┴───────────┴───────► failed

The bot owns every move after creation. Lost or reordered callbacks heal because `active` may follow `reserved` and a
terminal status may follow any live one. Everybody else may write only what `MOVES` lists for their source.
Both sides import this module; it has no dependency beyond the standard library.
"""

from dataclasses import dataclass
from enum import StrEnum

from usher_models.outcomes import ENDINGS


class Status(StrEnum):
    """What a meeting's row says; each live one holds one of the user's slots."""

    RESERVED = "reserved"
    STARTING = "starting"
    ACTIVE = "active"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"


class Stage(StrEnum):
    """Detail below the status, for people."""

    SCHEDULING = "scheduling"
    PULLING = "pulling"
    BOOTING = "booting"
    JOINING = "joining"
    LOBBY = "lobby"
    IN_MEETING = "in_meeting"
    LEAVING = "leaving"


class Source(StrEnum):
    """Who wrote a transition."""

    API = "api"
    OPERATOR = "operator"
    BOT = "bot"
    RECONCILER = "reconciler"
    EVIDENCE = "evidence"
    EXTERNAL = "external"
    ADOPTION = "adoption"


class Desired(StrEnum):
    """What the owner of a meeting wants of its bot."""

    RUN = "run"
    LEAVE = "leave"


TERMINAL = frozenset({Status.COMPLETED, Status.FAILED})
LIVE = frozenset(Status) - TERMINAL

# Live statuses of rows that an older deployment left behind: they hold a slot and are never written.
LEGACY_LIVE = frozenset({"requested", "joining", "awaiting_admission", "needs_help", "needs_human_help"})
HOLDS_SLOT = frozenset(str(status) for status in LIVE) | LEGACY_LIVE


@dataclass(frozen=True, kw_only=True)
class Move:
    """One row of the table of legal moves: `source` may move a meeting from any of `origins` to `target`."""

    target: Status
    origins: frozenset[Status]
    source: Source


def _move(target: Status, source: Source, *origins: Status) -> Move:
    return Move(target=target, origins=frozenset(origins), source=source)


MOVES: tuple[Move, ...] = (
    _move(Status.STARTING, Source.BOT, Status.RESERVED),
    _move(Status.ACTIVE, Source.BOT, Status.RESERVED, Status.STARTING),
    _move(Status.STOPPING, Source.BOT, Status.RESERVED, Status.STARTING, Status.ACTIVE),
    _move(Status.COMPLETED, Source.BOT, *LIVE),
    _move(Status.FAILED, Source.BOT, *LIVE),
    # The Job could not be created, or was not wanted any more before it existed.
    _move(Status.FAILED, Source.OPERATOR, Status.RESERVED),
    _move(Status.COMPLETED, Source.OPERATOR, Status.RESERVED),
    _move(Status.FAILED, Source.API, Status.RESERVED),
    _move(Status.COMPLETED, Source.API, Status.RESERVED),
    # Silence, by the stale rules.
    _move(Status.FAILED, Source.RECONCILER, *LIVE),
    # A finished Job whose `exited` never came. Completed only after the bot was in the meeting.
    _move(Status.COMPLETED, Source.EVIDENCE, Status.ACTIVE, Status.STOPPING),
    _move(Status.FAILED, Source.EVIDENCE, *LIVE),
    # The BotRequest shows an end that the database has lost.
    _move(Status.COMPLETED, Source.ADOPTION, *LIVE),
    _move(Status.FAILED, Source.ADOPTION, *LIVE),
    # Another program ended or deleted the meeting; Usher's side follows.
    _move(Status.COMPLETED, Source.EXTERNAL, *LIVE),
    _move(Status.FAILED, Source.EXTERNAL, *LIVE),
)

_ORIGINS = {(move.target, move.source): move.origins for move in MOVES}


def legal_origins(target: Status, source: Source) -> frozenset[Status]:
    """The statuses from which `source` may move a meeting to `target`; empty when it never may."""
    return _ORIGINS.get((target, source), frozenset())


def is_legal(origin: Status, target: Status, *, source: Source) -> bool:
    """Whether `source` may move a meeting from `origin` to `target`."""
    return origin in legal_origins(target, source)


_ORDER = {Status.RESERVED: 0, Status.STARTING: 1, Status.ACTIVE: 2, Status.STOPPING: 3}


def is_behind(reported: Status, actual: Status) -> bool:
    """Whether a report of `reported` is old news for a live meeting that is already `actual`."""
    return _ORDER.get(reported, 9) <= _ORDER.get(actual, -1)


class Judgement(StrEnum):
    """What becomes of something a bot says of its meeting."""

    MOVED = "moved"
    REPEATED = "repeated"
    LATE = "late"
    ANOTHER_POD_SPEAKS = "another_pod_speaks"
    OVER = "over"
    ILLEGAL = "illegal"


def judge(target: Status, status: Status, *, fenced: bool, known: bool, ended_by_bot: bool) -> Judgement:
    """What becomes of a bot's report of `target` while its meeting is in `status`.

    `fenced`: another pod speaks for the meeting. `known`: its event was heard before. `ended_by_bot`: who made the
    meeting terminal. The guard of `usher_models.db.transitions` says the same in SQL, which a test holds it to.
    """
    if fenced:
        return Judgement.ANOTHER_POD_SPEAKS
    if not known and is_legal(status, target, source=Source.BOT):
        return Judgement.MOVED
    if status in TERMINAL:
        return Judgement.REPEATED if target in TERMINAL and ended_by_bot else Judgement.OVER
    if target is status:
        return Judgement.REPEATED
    return Judgement.LATE if target is Status.STARTING else Judgement.ILLEGAL


class Reason(StrEnum):
    """Why a meeting is where it is. Bots may add reasons of their own (`REASON_PATTERN`); these are Usher's."""

    REQUESTED = "requested"
    ADOPTED = "adopted_after_restore"
    STARTED = "started"
    JOINED = "joined"
    LEAVING = "leaving"
    LEFT = "left"
    STOPPED = "stopped"
    STOPPED_BEFORE_START = "stopped_before_start"
    EXITED_ZERO = "exited_zero"
    JOB_CREATE_FAILED = "job_create_failed"
    # Of a reservation that waits for its Job; it ends no meeting.
    JOB_CREATE_FORBIDDEN = "job_create_forbidden"
    REQUEST_REFUSED = "request_refused"
    NEVER_STARTED = "never_started"
    NEVER_JOINED = "never_joined"
    HEARTBEAT_LOST = "heartbeat_lost"
    NEVER_EXITED = "never_exited"
    MAX_DURATION = "max_duration_exceeded"
    REQUEST_DELETED = "request_deleted"
    JOB_MISSING = "job_missing"
    JOB_DELETED = "job_deleted"
    JOB_SUSPENDED = "job_suspended"
    POD_DELETED = "pod_deleted"
    TERMINATED = "terminated"
    INIT_CONTAINER_FAILED = "init_container_failed"
    OOM_KILLED = "oom_killed"
    EVICTED = "evicted"
    PREEMPTED = "preempted"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    IMAGE_PULL_FAILED = "image_pull_failed"
    NODE_LOST = "node_lost"
    EXITED_SILENTLY = "exited_silently"
    JOB_FAILED = "job_failed"
    LEAVE_IGNORED = "leave_ignored"
    ENDED_EXTERNALLY = "ended_externally"
    MEETING_DELETED = "meeting_deleted"
    # Of a reservation whose pod cannot run yet; none of these ends a meeting.
    POD_REFUSED = "pod_refused"
    UNSCHEDULABLE = "unschedulable"
    IMAGE_PULL_RETRYING = "image_pull_retrying"
    CONTAINER_BLOCKED = "container_blocked"


REASON_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"

SENTENCES: dict[Reason, str] = {
    Reason.REQUESTED: "A slot is reserved and the bot is on its way.",
    Reason.ADOPTED: "The database had lost the bot's row; Usher put it back from the bot's Job.",
    Reason.STARTED: "The bot's process runs.",
    Reason.JOINED: "The bot is in the meeting.",
    Reason.LEAVING: "The bot is leaving the meeting.",
    Reason.LEFT: "The bot left the meeting.",
    Reason.STOPPED: "The bot left because it was asked to.",
    Reason.STOPPED_BEFORE_START: "The request was withdrawn before the bot started.",
    Reason.EXITED_ZERO: "The bot's process ended with exit code 0 without saying goodbye.",
    Reason.JOB_CREATE_FAILED: "Kubernetes refused the bot's Job.",
    Reason.JOB_CREATE_FORBIDDEN: "Kubernetes forbids to create the bot's Job now; Usher tries again.",
    Reason.REQUEST_REFUSED: "Kubernetes refused the BotRequest.",
    Reason.NEVER_STARTED: "The bot's pod never reported that it started.",
    Reason.NEVER_JOINED: "The bot did not get into the meeting in time.",
    Reason.HEARTBEAT_LOST: "The bot stopped sending heartbeats.",
    Reason.NEVER_EXITED: "The bot said it was leaving and never reported its exit.",
    Reason.MAX_DURATION: "The meeting reached its maximum duration.",
    Reason.REQUEST_DELETED: "The BotRequest was deleted.",
    Reason.JOB_MISSING: "The bot's Job is gone without a trace.",
    Reason.JOB_DELETED: "The bot's Job was deleted.",
    Reason.JOB_SUSPENDED: "The bot's Job was suspended.",
    Reason.POD_DELETED: "The bot's pod was deleted.",
    Reason.TERMINATED: "The bot's process was told to terminate, and it is not known by whom.",
    Reason.INIT_CONTAINER_FAILED: "An init container of the bot's pod failed.",
    Reason.OOM_KILLED: "The bot's container ran out of memory and was killed.",
    Reason.EVICTED: "The bot's pod was evicted from its node.",
    Reason.PREEMPTED: "The bot's pod was preempted by one of a higher priority.",
    Reason.DEADLINE_EXCEEDED: "The bot's Job ran into its active deadline.",
    Reason.IMAGE_PULL_FAILED: "The bot's image cannot be pulled.",
    Reason.NODE_LOST: "The node of the bot's pod was lost.",
    Reason.EXITED_SILENTLY: "The bot's process ended before it joined and without a report.",
    Reason.JOB_FAILED: "The bot's Job failed.",
    Reason.LEAVE_IGNORED: "The bot ignored the request to leave and was killed.",
    Reason.ENDED_EXTERNALLY: "Another program ended the meeting in the database.",
    Reason.MEETING_DELETED: "Another program deleted the meeting from the database.",
    Reason.POD_REFUSED: "Kubernetes refuses to create the bot's pod.",
    Reason.UNSCHEDULABLE: "No node can run the bot's pod yet.",
    Reason.IMAGE_PULL_RETRYING: "The bot's image could not be pulled; Kubernetes tries again.",
    Reason.CONTAINER_BLOCKED: "The bot's container cannot be created yet.",
}


def exit_code_reason(code: int) -> str:
    """The reason for a process that ended with `code` and said nothing better, such as `exit_code_137`."""
    return f"exit_code_{code}"


def sentence(reason: str) -> str:
    """The sentence for a person that belongs to a reason; for a bot's own reason, its entry in
    `usher_models.outcomes`, or else the reason in words."""
    if reason in SENTENCES:
        return SENTENCES[Reason(reason)]
    if reason in ENDINGS:
        return ENDINGS[reason].sentence
    if reason.startswith("exit_code_"):
        return f"The bot's process ended with exit code {reason.removeprefix('exit_code_')}."
    return f"The bot reported: {reason.replace('_', ' ')}."
