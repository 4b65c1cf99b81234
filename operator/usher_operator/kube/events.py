"""Kubernetes Events about BotRequests, as pure objects.

An Event is an API write like any other, so only changes that a person waits for have one; see `watch/status_writer`.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4, uuid5

Json = dict[str, Any]

MESSAGE_MAX_LENGTH = 1024
_ONCE = UUID("0d6a5ca2-6a3c-5c0e-9e56-3f8f3a0f4c11")


def event(
    *,
    namespace: str,
    name: str,
    uid: str,
    kind: Literal["Normal", "Warning"],
    reason: str,
    message: str,
    now: datetime,
    once: str = "",
) -> Json:
    """An Event about the BotRequest `namespace`/`name`. Each uid has at most one Event with the same `once`."""
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name[:200]}.{_suffix(uid, once)}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": "usher.dev/v1alpha1",
            "kind": "BotRequest",
            "namespace": namespace,
            "name": name,
            "uid": uid,
        },
        "type": kind,
        "reason": reason,
        "message": message[:MESSAGE_MAX_LENGTH],
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "source": {"component": "usher"},
        "reportingComponent": "usher.dev/operate",
        "reportingInstance": "usher",
    }


def _suffix(uid: str, once: str) -> str:
    return (uuid5(_ONCE, f"{uid}/{once}") if once else uuid4()).hex[:16]
