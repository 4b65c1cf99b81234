"""How the evidence of a failed meeting looks in a terminal: the cause first, the logs last."""

from collections.abc import Iterator
from typing import Any

from usher_operator.cli.output import print_line

Json = dict[str, Any]


def print_evidence(bundle: Json) -> None:
    """Print a bundle, a line for each thing that is known."""
    for line in lines_of(bundle):
        print_line(line)


def lines_of(bundle: Json) -> Iterator[str]:
    """The lines."""
    yield from _end(bundle["meeting_id"], bundle["end"], bundle["heartbeat"])
    yield from _section("Stages", (f"{each['at']}  {each['stage']}" for each in bundle["stages"]))
    yield from _section("Transitions", map(_transition, bundle["transitions"]))
    yield from _section("Job", _job(bundle["job"]))
    for pod in bundle["pods"]:
        yield from _section(f"Pod {pod['name']} on {pod['node'] or 'no node'}, {pod['phase']}", _pod(pod))
    yield from _section("Events", map(_event, bundle["events"]))
    for log in bundle["logs"]:
        before = " before its restart" if log["previous"] else ""
        yield from _section(f"Log of {log['container']} in {log['pod']}{before}", log["text"].splitlines())
    yield from _section("Could not be read", bundle["unread"])
    yield from _section("Cut, because it would be too long", bundle["cut"])


def _section(title: str, lines: Any) -> Iterator[str]:
    """Nothing for a section without lines."""
    for number, line in enumerate(lines):
        if not number:
            yield f"{title}:"
        yield f"    {line}"


def _end(meeting_id: int, end: Json, heartbeat: Json) -> Iterator[str]:
    yield f"Meeting {meeting_id} failed at {end['at']}: {end['reason']}. {end['message']}"
    yield f"Fault: {end['fault']}. Decided by: {end['source']}."
    decided = end["decided_by"]
    if decided:
        setting = f" ({decided['setting']})" if decided["setting"] else ""
        yield f"Rule {decided['rule']}{setting}: {decided['text']}"
    if end["leave_requested_at"]:
        yield f"Asked to leave at {end['leave_requested_at']}: {end['leave_reason']}."
    if heartbeat["last_at"]:
        yield f"Last heartbeat at {heartbeat['last_at']}, {heartbeat['silence_s']:g} s before the end."


def _transition(line: Json) -> str:
    return f"{line['at']}  {line['from_status'] or '-'} → {line['to_status']}  {line['source']}: {line['reason']}"


def _job(job: Json | None) -> Iterator[str]:
    if job is None:
        yield "It was gone."
        return
    deleted = f", deleted at {job['deleted_at']}" if job["deleted_at"] else ""
    yield f"{job['name']}: {job['active']} active, {job['succeeded']} succeeded, {job['failed']} failed{deleted}"
    yield from map(_condition, job["conditions"])


def _pod(pod: Json) -> Iterator[str]:
    if pod["reason"] or pod["message"]:
        yield f"{pod['reason']}: {pod['message']}"
    if pod["node_ready"] is False:
        yield "Its node is not ready."
    yield from map(_condition, pod["conditions"])
    for container in pod["containers"]:
        yield f"container {container['name']}, {container['restarts']} restarts: {_state(container['state'])}"


def _state(state: Json) -> str:
    """The state of a container in Kubernetes' own words."""
    for kind, told in state.items():
        return f"{kind} " + ", ".join(f"{key} {value}" for key, value in (told or {}).items())
    return "no state"


def _condition(each: Json) -> str:
    why = ": ".join(str(part) for part in (each["reason"], each["message"]) if part)
    return f"{each['type']}={each['status']}" + (f"  {why}" if why else "")


def _event(event: Json) -> str:
    times = f" ({event['count']} times)" if event["count"] > 1 else ""
    return f"{event['at']}  {event['type']} {event['reason']}: {event['message']}{times}"
