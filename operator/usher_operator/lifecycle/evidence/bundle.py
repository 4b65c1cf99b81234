"""The bundle of a meeting that failed, as JSON: pure functions over its row, its trail and what Kubernetes said."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from usher_models.db.bots import Transition
from usher_models.db.evidence import FailedBot
from usher_models.states import Stage
from usher_operator.kube.evidence import is_node_ready
from usher_operator.kube.port import Json
from usher_operator.lifecycle.evidence.decision import Decision
from usher_operator.lifecycle.evidence.facts import Facts, Log

VERSION = 1


def bundle_of(
    bot: FailedBot, trail: Sequence[Transition], facts: Facts, *, decision: Decision | None, now: datetime
) -> Json:
    """Everything that is known, unredacted and of any size."""
    return {
        "version": VERSION,
        "meeting_id": bot.meeting_id,
        "connection_id": bot.connection_id,
        "request": f"{bot.request_namespace}/{bot.request_name}" if bot.request_name else None,
        "collected_at": _time(now),
        "end": _end(bot, trail, decision),
        "times": _times(bot),
        "stages": [{"stage": str(Stage.SCHEDULING), "at": _time(bot.reserved_at)}, *bot.stages],
        "heartbeat": _heartbeat(bot),
        "transitions": [_transition(each) for each in trail],
        "job": _job(facts.job),
        "pods": [_pod(pod) for pod in facts.pods],
        "events": sorted(map(_event, facts.events), key=lambda event: event["at"] or ""),
        "logs": [_log(log) for log in facts.logs],
        "unread": facts.unread,
        "cut": [],
    }


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def _end(bot: FailedBot, trail: Sequence[Transition], decision: Decision | None) -> Json:
    last = trail[-1] if trail else None
    return {
        "at": _time(bot.failed_at),
        "reason": bot.reason,
        "message": bot.message,
        "fault": bot.fault,
        "source": last.source if last else None,
        "decided_by": asdict(decision) if decision else None,
        "leave_requested_at": _time(bot.leave_requested_at),
        "leave_reason": bot.leave_reason,
    }


def _times(bot: FailedBot) -> Json:
    return {
        "reserved_at": _time(bot.reserved_at),
        "job_created_at": _time(bot.job_created_at),
        "started_at": _time(bot.started_at),
        "joined_at": _time(bot.joined_at),
        "failed_at": _time(bot.failed_at),
    }


def _heartbeat(bot: FailedBot) -> Json:
    """The row of a bot that never reported has the time of its reservation."""
    if bot.heartbeat_at is None or bot.started_at is None:
        return {"last_at": None, "seq": None, "silence_s": None}
    silence_s = round((bot.failed_at - bot.heartbeat_at).total_seconds(), 1)
    return {"last_at": _time(bot.heartbeat_at), "seq": bot.heartbeat_seq, "silence_s": max(0.0, silence_s)}


def _transition(line: Transition) -> Json:
    return {
        "at": _time(line.at),
        "from_status": line.origin,
        "to_status": line.target,
        "source": line.source,
        "reason": line.reason,
        "fault": line.fault,
        "detail": line.detail,
    }


def _job(job: Json | None) -> Json | None:
    if job is None:
        return None
    status = job.get("status") or {}
    return {
        "name": job["metadata"].get("name"),
        "deleted_at": job["metadata"].get("deletionTimestamp"),
        "active": status.get("active", 0),
        "failed": status.get("failed", 0),
        "succeeded": status.get("succeeded", 0),
        "conditions": _conditions(status),
    }


def _pod(pod: Json) -> Json:
    metadata, status = pod["metadata"], pod.get("status") or {}
    return {
        "name": metadata.get("name"),
        "uid": metadata.get("uid"),
        "node": (pod.get("spec") or {}).get("nodeName"),
        # Usher has no right to read nodes: a pod whose container runs and that is not ready has a node that is not.
        "node_ready": is_node_ready(pod),
        "deleted_at": metadata.get("deletionTimestamp"),
        "phase": status.get("phase"),
        "reason": status.get("reason"),
        "message": status.get("message"),
        "conditions": _conditions(status),
        "containers": [
            _container(each, kind)
            for kind, key in (("init", "initContainerStatuses"), ("main", "containerStatuses"))
            for each in status.get(key) or []
        ],
    }


def _container(status: Json, kind: str) -> Json:
    return {
        "name": status.get("name"),
        "kind": kind,
        "image": status.get("image"),
        "restarts": status.get("restartCount", 0),
        "state": status.get("state") or {},
        "last_state": status.get("lastState") or {},
    }


def _conditions(status: Json) -> list[Json]:
    return [
        {
            "type": each.get("type"),
            "status": each.get("status"),
            "reason": each.get("reason"),
            "message": each.get("message"),
            "at": each.get("lastTransitionTime"),
        }
        for each in status.get("conditions") or []
    ]


def _event(event: Json) -> Json:
    return {
        "at": event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp"),
        "about": event.get("about"),
        "type": event.get("type"),
        "reason": event.get("reason"),
        "message": event.get("message"),
        "count": event.get("count") or 1,
    }


def _log(log: Log) -> dict[str, Any]:
    # What the API server cut at its end may end in the middle of a secret, which nothing would recognise.
    text = log.text if log.whole else log.text.rpartition("\n")[0]
    return {
        "pod": log.pod,
        "container": log.container,
        "previous": log.previous,
        "newest_lines": log.whole,
        "text": text,
    }
