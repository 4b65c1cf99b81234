"""The invariants as questions to the database and the API server. Each finding is one sentence; none is all well.

`always` holds at every instant, in the middle of any fault. `quiet` holds once nothing is under way any more.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.faults.harness.api import JOBS, PODS, REQUESTS, Api, Json
from usher_models.db.engine import Database
from usher_models.states import HOLDS_SLOT, LIVE, TERMINAL

CONNECTION = "usher.dev/connection-id"

_OVER_CAP = """
SELECT format('I1: user %s holds %s slots of %s', u.id, count(*), u.max_concurrent_bots)
FROM users u JOIN meetings m ON m.user_id = u.id WHERE m.status = ANY(:holds)
GROUP BY u.id HAVING count(*) > u.max_concurrent_bots
"""

_NO_REASON = """
SELECT format('I5: meeting %s ended without a reason or a sentence', b.meeting_id)
FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id
WHERE m.status = ANY(:terminal) AND (b.reason !~ '^[a-z][a-z0-9_]*$' OR b.message = '' OR b.ended_at IS NULL)
"""

_MOVED_AFTER_THE_END = """
SELECT format('I7: meeting %s moved from %s to %s', meeting_id, from_status, to_status)
FROM usher.transitions WHERE from_status = ANY(:terminal)
"""

_UNAUDITED = """
WITH story AS (
    SELECT meeting_id, count(*) AS steps, min(seq) AS first, max(seq) AS last,
           bool_and(from_status IS NOT DISTINCT FROM before) AS chained,
           (array_agg(to_status ORDER BY seq DESC))[1] AS told
    FROM (SELECT t.*, lag(to_status) OVER (PARTITION BY meeting_id ORDER BY seq) AS before FROM usher.transitions t) t
    GROUP BY meeting_id
)
SELECT format('I8: meeting %s is %s, its story of %s steps says %s', b.meeting_id, m.status, s.steps, s.told)
FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id LEFT JOIN story s ON s.meeting_id = b.meeting_id
WHERE s.steps IS NULL OR s.first <> 1 OR s.last <> s.steps OR s.last <> b.transition_seq OR NOT s.chained
   OR s.told <> m.status
"""

_HEARTBEAT_ROWS = """
SELECT format('I7: meeting %s is %s and its heartbeat row is %s', b.meeting_id, m.status,
              CASE WHEN h.meeting_id IS NULL THEN 'gone' ELSE 'there' END)
FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id LEFT JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id
WHERE (m.status = ANY(:live)) <> (h.meeting_id IS NOT NULL)
"""

_ALWAYS = (_OVER_CAP, _NO_REASON, _MOVED_AFTER_THE_END, _UNAUDITED, _HEARTBEAT_ROWS)

_ROWS = """
SELECT b.meeting_id, b.connection_id, b.request_uid, b.request_name, b.job_name, b.pod_uid, b.reason, m.status,
       b.config_generation, b.applied_generation, b.revision - b.written_revision AS unshown,
       (SELECT t.source FROM usher.transitions t WHERE t.meeting_id = b.meeting_id ORDER BY seq DESC LIMIT 1) AS source,
       extract(epoch FROM now() - b.status_changed_at) AS for_s
FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id ORDER BY b.meeting_id
"""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Where to look. `healthy` are the connection ids of bots that live and shall go on living."""

    database: Database
    api: Api
    namespace: str
    healthy: frozenset[str] = field(default_factory=frozenset)


async def always(database: Database) -> list[str]:
    """What is wrong at this instant and may never be: I1, I5, I7, I8."""
    values = {"holds": sorted(HOLDS_SLOT), "terminal": sorted(TERMINAL), "live": sorted(LIVE)}
    async with database.transaction() as connection:
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        return [finding for query in _ALWAYS for finding in await _ask(connection, query, values)]


async def _ask(connection: AsyncConnection, query: str, values: dict[str, Any]) -> list[str]:
    used = {name: value for name, value in values.items() if f":{name}" in query}
    return [str(finding) for finding in await connection.scalars(text(query), used)]


async def rows(database: Database) -> list[dict[str, Any]]:
    """Every bot, with what the checkers look at."""
    async with database.transaction() as connection:
        return [dict(row._mapping) for row in await connection.execute(text(_ROWS))]


async def quiet(fleet: Fleet) -> list[str]:
    """What is not as it shall be when nothing is under way: `always`, and I2, I3, I4, I6 and the shown status."""
    findings = await always(fleet.database)
    found = await rows(fleet.database)
    requests = await fleet.api.items(REQUESTS.format(fleet.namespace))
    jobs = await fleet.api.items(JOBS.format(fleet.namespace))
    pods = await fleet.api.items(PODS.format(fleet.namespace))
    return [
        *findings,
        *_stuck(fleet, found),
        *_killed(fleet, found),
        *_doubled(jobs, pods),
        *_orphaned(found, jobs=jobs, requests=requests),
        *_shown(found, requests),
    ]


def _stuck(fleet: Fleet, found: list[dict[str, Any]]) -> list[str]:
    return [
        f"I3: meeting {row['meeting_id']} is still {row['status']} and its bot is not there"
        for row in found
        if row["status"] not in TERMINAL and row["connection_id"] not in fleet.healthy
    ]


def _killed(fleet: Fleet, found: list[dict[str, Any]]) -> list[str]:
    return [
        f"I6: meeting {row['meeting_id']} is {row['status']} ({row['reason']}) and its bot is healthy"
        for row in found
        if row["status"] in TERMINAL and row["connection_id"] in fleet.healthy
    ]


def _doubled(jobs: list[Json], pods: list[Json]) -> list[str]:
    findings = []
    for kind, objects in (("Jobs", jobs), ("running pods", [pod for pod in pods if runs(pod)])):
        owners = [_annotation(each) for each in objects]
        findings += [
            f"I2: {owners.count(one)} {kind} of the connection {one}" for one in set(owners) if owners.count(one) > 1
        ]
    return findings


def _orphaned(found: list[dict[str, Any]], *, jobs: list[Json], requests: list[Json]) -> list[str]:
    live = {row["connection_id"]: row for row in found if row["status"] not in TERMINAL}
    running = {_annotation(job) for job in jobs if not ended(job)}
    requested = {request["metadata"]["uid"] for request in requests}
    return [f"I4: a Job of {one} runs without a live row" for one in running - set(live)] + [
        f"I4: meeting {row['meeting_id']} is {row['status']} without a Job or a BotRequest"
        for connection_id, row in live.items()
        if connection_id not in running and row["request_uid"] not in requested
    ]


def _shown(found: list[dict[str, Any]], requests: list[Json]) -> list[str]:
    by_uid = {row["request_uid"]: row for row in found}
    findings = []
    for request in requests:
        row, status = by_uid.get(request["metadata"]["uid"]), request.get("status") or {}
        name = request["metadata"]["name"]
        if row is None and not (status.get("phase") == "refused" and status.get("reason") and status.get("message")):
            findings.append(f"I5: BotRequest {name} has neither a row nor a reason")
        elif row is not None and row["status"] in TERMINAL and status.get("phase") != row["status"]:
            findings.append(f"I5: BotRequest {name} shows {status.get('phase')}, its row is {row['status']}")
    return findings


def runs(pod: Json) -> bool:
    """Whether a pod may still speak."""
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def ended(job: Json) -> bool:
    """Whether a Job has ended or is being deleted."""
    conditions = (job.get("status") or {}).get("conditions") or []
    over = any(one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in conditions)
    return over or "deletionTimestamp" in job["metadata"]


def _annotation(body: Json) -> str | None:
    return (body["metadata"].get("annotations") or {}).get(CONNECTION)
