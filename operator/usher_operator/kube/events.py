"""Kubernetes Events about BotRequests, as pure objects.

An Event is an API write like any other, so only changes that a person waits for have one; see `mirror`.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

Json = dict[str, Any]

MESSAGE_MAX_LENGTH = 1024


def event(
    *,
    namespace: str,
    name: str,
    uid: str,
    kind: Literal["Normal", "Warning"],
    reason: str,
    message: str,
    now: datetime,
) -> Json:
    """An Event about the BotRequest `namespace`/`name`."""
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name[:200]}.{uuid4().hex[:16]}", "namespace": namespace},
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
