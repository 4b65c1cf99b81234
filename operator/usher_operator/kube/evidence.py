"""Reading what Kubernetes knows of a bot that did not report its end: pure functions over Job and pod.

Only what is positively there counts. A pod that cannot be found proves nothing about how it ended.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from usher_models.states import Reason, Stage, exit_code_reason, sentence
from usher_operator.kube.job import CONTAINER
from usher_operator.kube.job_status import is_suspended, outcome
from usher_operator.kube.port import Json

LAST_WORDS_MAX_LENGTH = 2048

# Why a pod was disrupted (condition DisruptionTarget), after Kubernetes' documentation of pod disruption conditions.
_DISRUPTIONS = {
    "EvictionByEvictionAPI": Reason.EVICTED,
    "TerminationByKubelet": Reason.EVICTED,
    "PreemptionByScheduler": Reason.PREEMPTED,
    "DeletionByTaintManager": Reason.NODE_LOST,
    "DeletionByPodGC": Reason.NODE_LOST,
}
# The same in the reason of a pod's status, which the kubelet and older node controllers write.
_STATUS_REASONS = {
    "Evicted": Reason.EVICTED,
    "Preempting": Reason.PREEMPTED,
    "NodeLost": Reason.NODE_LOST,
    "NodeShutdown": Reason.NODE_LOST,
    "Terminated": Reason.NODE_LOST,
}
# The Job controller's sentence about a pod, which outlives the pod.
_EXIT_CODE_SAID = re.compile(rf"Container {CONTAINER} for pod \S+ failed with exit code (\d+)")
_DISRUPTION_SAID = "has condition DisruptionTarget"

# What a process that was told to terminate may end with. None: its end was not seen.
_FAILED_CREATE = "FailedCreate: "
_WHEN_TERMINATED = (None, 0, 137, 143)

# A kubelet that says so will not succeed by trying again.
_HOPELESS_IMAGE = frozenset({"ErrImageNeverPull", "InvalidImageName"})


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a bot ended. `exit_code` is None if its container's end was not seen; `message` is None if the reason's own
    sentence says it all."""

    reason: str
    exit_code: int | None = None
    message: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def verdict(job: Json, pod: Json | None) -> Verdict | None:
    """How the bot of a Job ended: because the Job has, or because the bot's own container has; None while it runs.

    A sidecar that never ends keeps a Job from ending, but says nothing of the bot.
    """
    condition = outcome(job)
    ended = _terminated(pod)
    if condition is None and ended is None:
        return None
    condition = condition or {}
    exit_code = _exit_code(condition, ended, disrupted=_disruption(pod) is not None)
    detail = last_words(pod)
    if condition:
        detail["job"] = f"{condition['type']}: {condition.get('reason', '')}".rstrip(": ")
    if condition.get("message"):
        detail["job_message"] = kept(str(condition["message"]))
    reason = _reason(job, pod, condition, exit_code)
    return Verdict(reason=reason, exit_code=exit_code, message=_init_failure(pod) if not ended else None, detail=detail)


def _exit_code(condition: Json, ended: Json | None, *, disrupted: bool) -> int | None:
    if ended is not None and ended.get("exitCode") is not None:
        return int(ended["exitCode"])
    if condition.get("type") == "Complete":
        return 0
    if disrupted:
        return None
    said = _EXIT_CODE_SAID.search(str(condition.get("message", "")))
    return int(said[1]) if said else None


def _reason(job: Json, pod: Json | None, condition: Json, exit_code: int | None) -> str:
    if (_terminated(pod) or {}).get("reason") == "OOMKilled":
        return Reason.OOM_KILLED
    disruption = _disruption(pod)
    if disruption is not None:
        return disruption
    if condition.get("reason") == "DeadlineExceeded":
        return Reason.DEADLINE_EXCEEDED
    # A Job that is deleted after its end, by its TTL, takes its pod along: that is not how the bot ended.
    away = taken_away(job, pod) if exit_code in _WHEN_TERMINATED and not (condition and _is_deleting(job)) else None
    return away or _reason_of_exit(pod, condition, exit_code)


def _reason_of_exit(pod: Json | None, condition: Json, exit_code: int | None) -> str:
    if exit_code is not None:
        return Reason.EXITED_ZERO if exit_code == 0 else exit_code_reason(exit_code)
    if _init_failure(pod):
        return Reason.INIT_CONTAINER_FAILED
    return Reason.EVICTED if _DISRUPTION_SAID in str(condition.get("message", "")) else Reason.JOB_FAILED


def taken_away(job: Json | None, pod: Json | None) -> Reason | None:
    """Who ended a pod that was told to terminate, as Kubernetes shows it; None if it does not."""
    disruption = _disruption(pod)
    if disruption is not None:
        return disruption
    if job is None or _is_deleting(job):
        return Reason.JOB_DELETED
    if _has_condition(job, "Failed", "FailureTarget", reason="DeadlineExceeded"):
        return Reason.DEADLINE_EXCEEDED
    if is_suspended(job) or _has_condition(job, "Suspended"):
        return Reason.JOB_SUSPENDED
    return Reason.POD_DELETED if _is_deleting(pod) else None


def _is_deleting(body: Json | None) -> bool:
    return body is not None and "deletionTimestamp" in body["metadata"]


def _has_condition(body: Json, *kinds: str, reason: str | None = None) -> bool:
    return any(
        each.get("type") in kinds and each.get("status") == "True" and reason in (None, each.get("reason"))
        for each in (body.get("status") or {}).get("conditions") or []
    )


def _disruption(pod: Json | None) -> Reason | None:
    """Why a pod was taken away: by what its status says, or its disruption condition; None if it was not."""
    status = (pod or {}).get("status") or {}
    if status.get("reason") in _STATUS_REASONS:
        return _STATUS_REASONS[status["reason"]]
    for condition in status.get("conditions") or []:
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return _DISRUPTIONS.get(str(condition.get("reason", "")), Reason.EVICTED)
    return None


def _init_failure(pod: Json | None) -> str | None:
    """The sentence for an init container that failed; None if none did."""
    for status in ((pod or {}).get("status") or {}).get("initContainerStatuses") or []:
        ended = (status.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            return f"The init container {status.get('name')} of the bot's pod ended with exit code {ended['exitCode']}."
    return None


def waiting_reason(pod: Json | None) -> str | None:
    """Why a pod does not run yet, in Kubernetes' word (ImagePullBackOff, Unschedulable); None if nothing is said."""
    state = _container_status(pod).get("state") or {}
    if (state.get("waiting") or {}).get("reason"):
        return str(state["waiting"]["reason"])
    for condition in ((pod or {}).get("status") or {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("reason", "Unschedulable"))
    return None


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where a pod that does not run yet is; `reason` and `message` if something keeps it from running."""

    stage: Stage
    reason: Reason | None = None
    message: str | None = None


_WAITS: dict[str, tuple[Stage, Reason | None]] = {
    "Unschedulable": (Stage.SCHEDULING, Reason.UNSCHEDULABLE),
    "SchedulingGated": (Stage.SCHEDULING, None),
    "ContainerCreating": (Stage.PULLING, None),
    "PodInitializing": (Stage.PULLING, None),
    "ErrImagePull": (Stage.PULLING, Reason.IMAGE_PULL_RETRYING),
    "ImagePullBackOff": (Stage.PULLING, Reason.IMAGE_PULL_RETRYING),
    "ImageInspectError": (Stage.PULLING, Reason.IMAGE_PULL_RETRYING),
    "RegistryUnavailable": (Stage.PULLING, Reason.IMAGE_PULL_RETRYING),
    "SignatureValidationFailed": (Stage.PULLING, Reason.IMAGE_PULL_RETRYING),
}


def start_of(pod: Json | None) -> Start | None:
    """How far the start of a pod is; None if it runs, or if nothing is said of it."""
    waits = waiting_reason(pod)
    if pod is None or waits is None:
        return None
    stage, reason = _WAITS.get(waits, (Stage.PULLING, Reason.CONTAINER_BLOCKED))
    if reason is None:
        return Start(stage=stage)
    cause = last_words(pod).get("termination_message")
    words = f"{sentence(reason).removesuffix('.')}: {waits}" + (f": {cause}" if cause else "")
    return Start(stage=stage, reason=reason, message=words if words.endswith(".") else f"{words}.")


def refusal_of_pod(detail: dict[str, Any]) -> str | None:
    """Why the Job controller could not create the pod, in the last words of a bot without one; None if it could."""
    refusals = [str(each) for each in detail.get("events", []) if str(each).startswith(_FAILED_CREATE)]
    return refusals[-1].removeprefix(_FAILED_CREATE) if refusals else None


def node_of(pod: Json | None) -> str | None:
    """The sentence about the pod's node; None if nothing is known of it."""
    ready = is_node_ready(pod)
    name = ((pod or {}).get("spec") or {}).get("nodeName")
    return None if ready is None else f"Its node {name} is {'ready' if ready else 'not ready'}."


def is_node_ready(pod: Json | None) -> bool | None:
    """Whether the pod's node is ready: a pod whose container runs and that is not ready has a node that is not.

    None if nothing is known of it.
    """
    name = ((pod or {}).get("spec") or {}).get("nodeName")
    if not name or "running" not in (_container_status(pod).get("state") or {}):
        return None
    conditions = ((pod or {}).get("status") or {}).get("conditions") or []
    return next((each.get("status") == "True" for each in conditions if each.get("type") == "Ready"), None)


def hopeless_image(pod: Json | None) -> bool:
    """True if the kubelet says that the image can never be pulled."""
    return waiting_reason(pod) in _HOPELESS_IMAGE


def last_words(pod: Json | None, events: list[Json] | None = None) -> dict[str, Any]:
    """What is worth keeping of a pod that goes: names, exit code, termination message, events; only what there is."""
    told = [kept(f"{event.get('reason')}: {event.get('message')}")[:500] for event in (events or [])[-10:]]
    if pod is None:
        return {"events": told} if told else {}
    ended = _terminated(pod) or {}
    waiting = (_container_status(pod).get("state") or {}).get("waiting") or {}
    said = {
        "pod": pod["metadata"]["name"],
        "node": (pod.get("spec") or {}).get("nodeName"),
        "phase": (pod.get("status") or {}).get("phase"),
        "exit_code": ended.get("exitCode"),
        "container": ended.get("reason") or waiting_reason(pod),
        "termination_message": (ended.get("message") or waiting.get("message") or _unscheduled(pod)),
        "events": told,
    }
    return {
        key: kept(value) if isinstance(value, str) else value
        for key, value in said.items()
        if value not in (None, "", [])
    }


def kept(words: str) -> str:
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
