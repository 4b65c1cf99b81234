"""The rules that a bot is held to, as one table: what each asks for, and what happens to a bot that breaks it."""

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """What came of one requirement."""

    KEPT = "pass"
    BROKEN = "fail"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One rule of docs/reference/callbacks.md."""

    name: str
    rule: str
    otherwise: str
    """What Usher does with a bot that breaks it."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One requirement, and what was seen of it."""

    requirement: Requirement
    result: Result
    seen: str = ""


STARTED = Requirement(
    name="started",
    rule="Reports `started`, before any other callback.",
    otherwise="The meeting fails with `never_started`.",
)
IDENTITY = Requirement(
    name="identity",
    rule="Sends its connection id, and the token of its token file, with every callback.",
    otherwise="Its callbacks are answered 401, 404 or 422, so the meeting fails as if it had sent none.",
)
JOINED = Requirement(
    name="joined",
    rule="Reports `joined` when it is in the meeting.",
    otherwise="The meeting fails with `never_joined`.",
)
HEARTBEATS = Requirement(
    name="heartbeats",
    rule="Sends heartbeats in the meeting, at the pace of `next_beat_s` of the last reply.",
    otherwise="The meeting fails with `heartbeat_lost`.",
)
LEAVES_ON_COMMAND = Requirement(
    name="leaves-on-command",
    rule="Ends by itself within USHER_LEAVE_GRACE_S when a reply carries the command `leave`.",
    otherwise="Its Job is deleted, and it is killed in the middle of its work.",
)
EXITED = Requirement(
    name="exited",
    rule="Reports `exited` with the exit code of its process, as its last callback.",
    otherwise="The end is taken from Kubernetes, later and without the bot's own reason.",
)
CLEAN_END = Requirement(
    name="clean-end",
    rule="Ends with exit code 0 when it was asked to leave its meeting.",
    otherwise="A meeting that went well is shown as failed.",
)
NOTHING_LEFT = Requirement(
    name="nothing-left",
    rule="Leaves no process behind.",
    otherwise="In a container the kubelet kills what is left; elsewhere it stays in the meeting.",
)
TOKEN_KEPT = Requirement(
    name="token-kept",
    rule="Never writes its token to its output.",
    otherwise="Whoever may read logs may speak for the bot.",
)
LEAVES_ON_SIGTERM = Requirement(
    name="leaves-on-sigterm",
    rule="Leaves on SIGTERM within USHER_LEAVE_GRACE_S, and reports `exited`.",
    otherwise="Each drain of a node kills it in the middle of its work.",
)
STARTS_LATE = Requirement(
    name="starts-late",
    rule="Repeats `started` while the control plane is away.",
    otherwise="Bots that start while Usher restarts are lost.",
)
SURVIVES_OUTAGE = Requirement(
    name="survives-outage",
    rule="Goes on while the control plane is away, and sends heartbeats again when it is back.",
    otherwise="Every restart of Usher ends meetings.",
)
BELIEVES_USHER_ONLY = Requirement(
    name="believes-usher-only",
    rule="Goes on when something that is not Usher answers 403, 404 or 410.",
    otherwise="An ingress or a service mesh that answers for a minute ends the whole fleet.",
)
READS_TOKEN_AGAIN = Requirement(
    name="reads-token-again",
    rule="Reads its token file again, because the kubelet rotates it.",
    otherwise="Its callbacks are answered 401 after an hour, and the meeting fails with `heartbeat_lost`.",
)
OBEYS_DISMISSAL = Requirement(
    name="obeys-dismissal",
    rule="Ends when an answer says `terminate`, and reports nothing more.",
    otherwise="It stays in a meeting that is over for Usher, until its Job is deleted.",
)
LEAVES_BEFORE_JOINING = Requirement(
    name="leaves-before-joining",
    rule="Ends without joining when the reply to `started` carries the command `leave`.",
    otherwise="A bot that nobody wants any more appears in the meeting.",
)
