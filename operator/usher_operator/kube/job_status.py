"""Reading a Job: to which meeting it belongs, and whether it has ended. Pure functions over the API's JSON."""

from datetime import datetime
from typing import Any

from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job import CONNECTION_ANNOTATION, INSTALLATION_LABEL, MEETING_LABEL, USER_LABEL
from usher_operator.kube.port import Json


def labels_of(body: Json) -> dict[str, str]:
    """The labels of an object; empty when it has none."""
    return body["metadata"].get("labels") or {}


# The largest id that a row can have.
ID_MAX = 2**31 - 1


def meeting_id_of(job: Json) -> int | None:
    """The meeting of a Job, by its label; None if the Job is not Usher's."""
    return _id(job, MEETING_LABEL)


def user_id_of(job: Json) -> int | None:
    """The user of a Job's bot, by its label; None if the Job is not Usher's."""
    return _id(job, USER_LABEL)


def _id(job: Json, label: str) -> int | None:
    value = labels_of(job).get(label, "")
    return int(value) if value.isdecimal() and int(value) <= ID_MAX else None


def is_of(job: Json, request: BotRequest) -> bool:
    """True if a Job was made for that very BotRequest."""
    owners = {owner.get("uid") for owner in job["metadata"].get("ownerReferences") or []}
    return request.uid in owners and connection_id_of(job) == request.connection_id


def connection_id_of(job: Json) -> str | None:
    """The connection id of a Job: it tells this database's Jobs from another's."""
    annotations: dict[str, Any] = job["metadata"].get("annotations") or {}
    return annotations.get(CONNECTION_ANNOTATION)


def installation_of(job: Json) -> str | None:
    """The id of the installation that made a Job; None if it carries none."""
    return labels_of(job).get(INSTALLATION_LABEL)


def is_suspended(job: Json | None) -> bool:
    """True if a Job is held back: by a person, or by a queue of the cluster until there is room."""
    return bool(((job or {}).get("spec") or {}).get("suspend"))


def resumed_at(job: Json | None) -> datetime | None:
    """When a Job that was suspended was resumed; None if it never was."""
    for condition in ((job or {}).get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Suspended" and condition.get("status") == "False":
            return _time(condition.get("lastTransitionTime"))
    return None


def _time(said: object) -> datetime | None:
    try:
        return datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        return None


def finished(job: Json) -> bool:
    """True if a Job has ended, completed or failed."""
    return outcome(job) is not None


def outcome(job: Json) -> Json | None:
    """The condition with which a Job ended, Complete or Failed; None while it runs."""
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("type") in ("Complete", "Failed") and condition.get("status") == "True":
            return dict(condition)
    return None


def is_foreign(body: Json, installation: str) -> bool:
    """True if another installation made a Job or pod: then it must be neither judged nor touched."""
    return installation_of(body) not in (None, installation)
