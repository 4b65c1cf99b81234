"""A BotRequest's status, computed from the row alone: it can be lost and written again, and is never read as truth.

Every condition has a machine reason in CamelCase and a sentence. Its time is the database's.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from usher_models.db.bots import Bot
from usher_models.db.history import PastTransition
from usher_models.errors import UsherError
from usher_models.outcomes import Party
from usher_models.states import SENTENCES, Reason, Status
from usher_operator.kube.drivers import SIMULATED

Json = dict[str, Any]

MESSAGE_MAX_LENGTH = 1024
SIMULATION = "The driver simulated plays a meeting; no real meeting was joined."


def camel(reason: str) -> str:
    """A reason in CamelCase, as Kubernetes spells it: `heartbeat_lost` is HeartbeatLost."""
    return "".join(part[:1].upper() + part[1:] for part in reason.split("_"))


def status_of(bot: Bot, *, installation: str, history: Sequence[PastTransition] = ()) -> Json:
    """The status of a request that has a row. `history`: its last transitions, the oldest first."""
    return {
        "installation": installation,
        "phase": str(bot.status),
        "stage": bot.stage,
        "driver": bot.driver,
        "meetingId": bot.meeting_id,
        "userId": bot.user_id,
        "platform": bot.platform,
        "nativeMeetingId": bot.native_id,
        "connectionId": bot.connection_id,
        "jobName": bot.job_name,
        "reason": camel(bot.reason),
        "message": message_of(bot)[:MESSAGE_MAX_LENGTH],
        "fault": bot.fault,
        "startTime": _time(bot.started_at),
        "endTime": _time(bot.ended_at),
        "observedGeneration": bot.request_generation,
        "conditions": [step(bot) for step in (_accepted, _slot_reserved, _job_created, _started, _joined, _finished)],
        "history": [_past(each) for each in history],
    }


def _past(transition: PastTransition) -> Json:
    """One line of the history. A merge patch replaces lists as they are, so what is unknown is left out."""
    said = {
        "at": _time(transition.at),
        "from": transition.origin,
        "to": transition.target,
        "seconds": transition.seconds,
        "source": transition.source,
        "reason": camel(transition.reason),
        "fault": transition.fault,
    }
    return {name: value for name, value in said.items() if value is not None}


def message_of(bot: Bot) -> str:
    """The row's sentence, unless it says of a simulated bot that it is in a meeting."""
    return SIMULATION if bot.driver == SIMULATED and bot.reason == Reason.JOINED else bot.message


def refusal_of(error: UsherError, *, spec: Json, generation: int, now: datetime, installation: str) -> Json:
    """The status of a request that was refused and has no row. User and meeting are those of its spec."""
    reason, message = camel(error.code), str(error)[:MESSAGE_MAX_LENGTH]

    def condition(kind: str) -> Json:
        return {
            "type": kind,
            "status": "False",
            "reason": reason,
            "message": message,
            "lastTransitionTime": _time(now),
            "observedGeneration": generation,
        }

    return {
        "installation": installation,
        "phase": "refused",
        "userId": spec.get("userId"),
        "platform": spec.get("platform"),
        "nativeMeetingId": spec.get("nativeMeetingId"),
        "reason": reason,
        "message": message,
        "fault": Party.USER,
        "observedGeneration": generation,
        "conditions": [condition("Accepted"), condition("SlotReserved")],
    }


def error_of(error: Exception, *, generation: int, now: datetime, installation: str) -> Json:
    """The status of a request that could not be handled, and is tried again: neither accepted nor refused."""
    reason = camel(error.code) if isinstance(error, UsherError) else "InternalError"
    message = f"Usher could not handle this request and tries again: {_sentence(error)}"[:MESSAGE_MAX_LENGTH]
    accepted = {
        "type": "Accepted",
        "status": "Unknown",
        "reason": reason,
        "message": message,
        "lastTransitionTime": _time(now),
        "observedGeneration": generation,
    }
    return {"installation": installation, "reason": reason, "message": message, "conditions": [accepted]}


def _sentence(error: Exception) -> str:
    """Usher's own errors say what is wrong; the text of any other may hold a secret, and is in the log."""
    return str(error) if isinstance(error, UsherError) else f"{type(error).__name__}; see the operator's log."


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def _condition(bot: Bot, kind: str, value: bool, *, reason: str, message: str, at: datetime) -> Json:
    return {
        "type": kind,
        "status": "True" if value else "False",
        "reason": reason,
        "message": message[:MESSAGE_MAX_LENGTH],
        "lastTransitionTime": _time(at),
        "observedGeneration": bot.request_generation,
    }


def _accepted(bot: Bot) -> Json:
    message = f"The request is meeting {bot.meeting_id} of user {bot.user_id}."
    return _condition(bot, "Accepted", True, reason="Accepted", message=message, at=bot.reserved_at)


def _slot_reserved(bot: Bot) -> Json:
    if bot.ended_at:
        message = "The slot was released."
        return _condition(bot, "SlotReserved", False, reason="Released", message=message, at=bot.ended_at)
    message = "The bot holds one of the user's slots."
    return _condition(bot, "SlotReserved", True, reason="Reserved", message=message, at=bot.reserved_at)


def _job_created(bot: Bot) -> Json:
    if bot.job_created_at:
        message = f"The Job {bot.job_name} was created."
        return _condition(bot, "JobCreated", True, reason="Created", message=message, at=bot.job_created_at)
    reason, message = _obstacle(bot) or ("Pending", "The Job is not created yet.")
    return _condition(bot, "JobCreated", False, reason=reason, message=message, at=bot.reserved_at)


def _started(bot: Bot) -> Json:
    if bot.started_at:
        message = "The bot's process runs."
        return _condition(bot, "Started", True, reason="Started", message=message, at=bot.started_at)
    reason, message = _obstacle(bot) or ("Pending", "The bot's pod does not run yet.")
    return _condition(bot, "Started", False, reason=reason, message=message, at=bot.reserved_at)


def _obstacle(bot: Bot) -> tuple[str, str] | None:
    """Why a bot did not start: what ended it, or what keeps its pod from running now; None if nothing is known."""
    if bot.ended_at or bot.reason != Reason.REQUESTED:
        return camel(bot.reason), bot.message
    return None


def _joined(bot: Bot) -> Json:
    if bot.joined_at:
        reason, message = ("Joined", "The bot joined the meeting.")
        if bot.driver == SIMULATED:
            reason, message = ("SimulationJoined", SIMULATION)
        return _condition(bot, "Joined", True, reason=reason, message=message, at=bot.joined_at)
    reason, message = ("NotYet", "The bot has not joined the meeting yet.")
    if bot.status is Status.STARTING and bot.message != SENTENCES[Reason.STARTED]:
        message = bot.message
    if bot.ended_at or (bot.status is Status.RESERVED and bot.reason != Reason.REQUESTED):
        reason, message = camel(bot.reason), bot.message
    return _condition(bot, "Joined", False, reason=reason, message=message, at=bot.reserved_at)


def _finished(bot: Bot) -> Json:
    if bot.ended_at:
        outcome = "Completed" if bot.status is Status.COMPLETED else "Failed"
        message = f"{outcome}: {bot.message}"
        return _condition(bot, "Finished", True, reason=camel(bot.reason), message=message, at=bot.ended_at)
    return _condition(bot, "Finished", False, reason="Live", message="The bot has not ended.", at=bot.reserved_at)
