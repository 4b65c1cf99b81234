"""Reading what Kubernetes knows of a bot that said nothing: pure functions over Job and pod.

Only what is positively there counts. A pod that cannot be found proves nothing about how it ended.
"""

from dataclasses import dataclass, field
from typing import Any

from usher_models.states import Reason, exit_code_reason
from usher_operator.kube.job import CONTAINER
from usher_operator.kube.job_status import outcome
from usher_operator.kube.port import Json

LAST_WORDS_MAX_LENGTH = 2048

# Why a pod was disrupted (condition DisruptionTarget), after Kubernetes' documentation of pod disruption conditions.
_NODE_LOST = frozenset({"DeletionByTaintManager", "DeletionByPodGC"})

# A kubelet that says so will not succeed by trying again.
_HOPELESS_IMAGE = frozenset({"ErrImageNeverPull", "InvalidImageName"})


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a bot ended. `exit_code` is None when its container's end was not seen."""

    reason: str
    exit_code: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def verdict(job: Json, pod: Json | None) -> Verdict | None:
    """How a finished Job ended; None while it runs."""
    condition = outcome(job)
    if condition is None:
        return None
    ended = _terminated(pod)
    exit_code = ended.get("exitCode") if ended else None
    if exit_code is None and condition["type"] == "Complete":
        exit_code = 0
    detail = last_words(pod) | {"job": f"{condition['type']}: {condition.get('reason', '')}".rstrip(": ")}
    if condition.get("message"):
        detail["job_message"] = _kept(str(condition["message"]))
    return Verdict(reason=_reason(condition, pod, ended, exit_code), exit_code=exit_code, detail=detail)


def _reason(condition: Json, pod: Json | None, ended: Json | None, exit_code: int | None) -> str:
    if ended and ended.get("reason") == "OOMKilled":
        return Reason.OOM_KILLED
    disruption = _disruption(pod)
    if disruption is not None:
        return Reason.NODE_LOST if disruption in _NODE_LOST else Reason.EVICTED
    if condition.get("reason") == "DeadlineExceeded":
        return Reason.DEADLINE_EXCEEDED
    if exit_code == 0:
        return Reason.EXITED_ZERO
    if exit_code is not None:
        return exit_code_reason(exit_code)
    return Reason.JOB_FAILED


def _disruption(pod: Json | None) -> str | None:
    """Why a pod was taken away: the reason of its disruption, `Evicted` for a kubelet's own; None when it was not."""
    status = (pod or {}).get("status") or {}
    if status.get("reason") in ("Evicted", "NodeLost", "Preempting"):
        return "DeletionByPodGC" if status["reason"] == "NodeLost" else "Evicted"
    for condition in status.get("conditions") or []:
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return str(condition.get("reason", ""))
    return None


def waiting_reason(pod: Json | None) -> str | None:
    """Why a pod does not run yet, in Kubernetes' word (ImagePullBackOff, Unschedulable); None when nothing is said."""
    state = _container_status(pod).get("state") or {}
    if (state.get("waiting") or {}).get("reason"):
        return str(state["waiting"]["reason"])
    for condition in ((pod or {}).get("status") or {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("reason", "Unschedulable"))
    return None


def hopeless_image(pod: Json | None) -> bool:
    """Whether the kubelet has said that the image will never be there."""
    return waiting_reason(pod) in _HOPELESS_IMAGE


def last_words(pod: Json | None, events: list[Json] | None = None) -> dict[str, Any]:
    """What is worth keeping of a pod that goes: names, exit code, termination message, events; only what there is."""
    if pod is None:
        return {}
    ended = _terminated(pod) or {}
    waiting = (_container_status(pod).get("state") or {}).get("waiting") or {}
    said = {
        "pod": pod["metadata"]["name"],
        "node": (pod.get("spec") or {}).get("nodeName"),
        "phase": (pod.get("status") or {}).get("phase"),
        "exit_code": ended.get("exitCode"),
        "container": ended.get("reason") or waiting_reason(pod),
        "termination_message": (ended.get("message") or waiting.get("message") or _unscheduled(pod)),
        "events": [_kept(f"{event.get('reason')}: {event.get('message')}")[:500] for event in (events or [])[-10:]],
    }
    return {
        key: _kept(value) if isinstance(value, str) else value
        for key, value in said.items()
        if value not in (None, "", [])
    }


def _kept(words: str) -> str:
    """As much of the end of what was said as is kept, without the one character that Postgres cannot store."""
    return words.replace("\0", "\ufffd")[-LAST_WORDS_MAX_LENGTH:]


def _unscheduled(pod: Json) -> str | None:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("message", ""))
    return None


def _container_status(pod: Json | None) -> Json:
    for status in ((pod or {}).get("status") or {}).get("containerStatuses") or []:
        if status.get("name") == CONTAINER:
            return dict(status)
    return {}


def _terminated(pod: Json | None) -> Json | None:
    state = _container_status(pod).get("state") or {}
    return state.get("terminated")
