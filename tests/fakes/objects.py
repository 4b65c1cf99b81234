"""Objects of the Kubernetes API as they really look, for tests to start from."""

from typing import Any

Json = dict[str, Any]

NOW = "2026-01-01T12:00:00Z"

# How a Job ends, as the Job controller of Kubernetes 1.31 and later writes it.
COMPLETE: Json = {"type": "Complete", "status": "True", "reason": "CompletionsReached", "message": "Reached expected"}
FAILED_BY_POLICY: Json = {
    "type": "Failed",
    "status": "True",
    "reason": "PodFailurePolicy",
    "message": "Container bot for pod bots/bot-1-abcde failed with exit code 1 matching FailJob rule at index 1",
}
BACKOFF_LIMIT: Json = {
    "type": "Failed",
    "status": "True",
    "reason": "BackoffLimitExceeded",
    "message": "Job has reached the specified backoff limit",
}
DEADLINE: Json = {
    "type": "Failed",
    "status": "True",
    "reason": "DeadlineExceeded",
    "message": "Job was active longer than specified deadline",
}


def running() -> Json:
    """The state of a container that runs."""
    return {"running": {"startedAt": NOW}}


def waiting(reason: str, message: str = "") -> Json:
    """The state of a container that does not run yet."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def terminated(exit_code: int, *, reason: str | None = None, message: str | None = None) -> Json:
    """The state of a container that has ended."""
    ended: Json = {
        "exitCode": exit_code,
        "reason": reason or ("Completed" if exit_code == 0 else "Error"),
        "startedAt": NOW,
        "finishedAt": NOW,
    }
    return {"terminated": ended | ({"message": message} if message else {})}


def disrupted(reason: str) -> Json:
    """The condition of a pod that was taken away."""
    return {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "taken away"}


def unschedulable(message: str = "0/3 nodes are available: 3 Insufficient memory.") -> Json:
    """The condition of a pod that no node takes."""
    return {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}


def a_pod(
    job_name: str,
    *,
    suffix: str = "abcde",
    namespace: str = "bots",
    uid: str = "pod-uid",
    state: Json | None = None,
    phase: str = "Running",
    status_reason: str | None = None,
    conditions: list[Json] | None = None,
    annotations: Json | None = None,
    deleting: bool = False,
) -> Json:
    """The pod of a Job. Without `state`, its container has no status yet."""
    metadata: Json = {
        "name": f"{job_name}-{suffix}",
        "namespace": namespace,
        "uid": uid,
        "labels": {"batch.kubernetes.io/job-name": job_name, "app.kubernetes.io/managed-by": "usher"},
        "annotations": dict(annotations or {}),
    }
    status: Json = {"phase": phase}
    if state is not None:
        status["containerStatuses"] = [{"name": "bot", "restartCount": 0, "state": state}]
    if status_reason is not None:
        status["reason"] = status_reason
    if conditions is not None:
        status["conditions"] = conditions
    if deleting:
        metadata["deletionTimestamp"] = NOW
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": "node-1"}, "status": status}


def a_job(meeting_id: int = 1, *, connection_id: str = "connection-1", condition: Json | None = None) -> Json:
    """A bot's Job as it comes back from the API server."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"bot-{meeting_id}",
            "namespace": "bots",
            "uid": f"job-uid-{meeting_id}",
            "labels": {"app.kubernetes.io/managed-by": "usher", "usher.dev/meeting-id": str(meeting_id)},
            "annotations": {"usher.dev/connection-id": connection_id},
        },
        "spec": {"backoffLimit": 0},
        "status": {"conditions": [condition]} if condition else {"active": 1},
    }


def a_botrequest(
    name: str = "standup",
    *,
    namespace: str = "bots",
    uid: str | None = None,
    generation: int = 1,
    status: Json | None = None,
    **spec: Any,
) -> Json:
    """A BotRequest. `spec` adds to, or with None takes from, a plain request of user 1 for a Zoom meeting."""
    plain: Json = {"userId": 1, "platform": "zoom", "nativeMeetingId": "85123456789"}
    return {
        "apiVersion": "usher.dev/v1alpha1",
        "kind": "BotRequest",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-of-{name}",
            "generation": generation,
        },
        "spec": {key: value for key, value in (plain | spec).items() if value is not None},
        "status": status or {},
    }
