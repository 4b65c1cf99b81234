"""From BotRequest to Job with nobody else at work: without the controller manager, beside raw Job POSTs; and how fast
that then makes pods of what waits for it. What is left behind would be a burden to any other benchmark."""

import asyncio
import itertools
import json
import time
from typing import Any

from dev.stores.settings import load as stores
from tests.load import plane, rows
from tests.load.bench.figures import Figure
from tests.load.bench.harness import JOBS, PODS, RAW, Harness, parsed
from tests.load.bench.load import Outcome, at_once
from tests.load.bench.request_load import PATIENCE_S, Bench


async def run(harness: Harness, load: dict[str, Any]) -> list[Figure]:
    """Its own database and operator, in a control plane that is made anew afterwards."""
    async with plane.fresh_database() as (url, database):
        async with database.transaction() as connection:
            users = await rows.users(connection, 100, cap=1_000_000)
        common: dict[str, Any] = {"kubeconfig": harness.kubeconfig, "database_url": url, "folder": harness.folder}
        operate = plane.operate(**common, redis_url=stores().redis_url)
        async with operate.running():
            bench = Bench(harness, database, users)
            harness.stop("controller-manager")
            figures = await _without_manager(bench, load, operate)
            figures += await _manager_ceiling(bench)
    await harness.renew()
    return figures


async def _without_manager(bench: Bench, load: dict[str, Any], operate: plane.UsherProcess) -> list[Figure]:
    """Nobody else works on the Jobs: what remains is Usher and the API server."""
    count, connections = load["without_manager"], load["connections"]
    await at_once(bench.harness.api, list(itertools.islice(bench.requests("warm"), 20)), connections=4)
    await bench.all_created("warm", 20)
    began = time.time()
    await at_once(bench.harness.api, list(itertools.islice(bench.requests("along"), count)), connections=connections)
    along = await bench.all_created("along", count)
    waiting = await _of_those_that_wait(bench, count, operate, connections=connections)
    await operate.stop()  # it would go on with statuses, beside the ceilings
    raw = (await _raw_jobs(bench, load["raw"], connections=connections)).rate(201)
    return [
        Figure(
            name="requests without manager",
            value=(len(waiting) - 1) / (max(waiting.values()) - min(waiting.values())),
            unit="/s",
            ceiling=raw,
            note="of BotRequests that wait when the operator starts, with the showing of their statuses",
        ),
        Figure(
            name="requests while created",
            value=len(along) / (max(along.values()) - began),
            unit="/s",
            ceiling=raw,
            note="beside the creation of the BotRequests: three writes against the ceiling's one",
        ),
    ]


async def _of_those_that_wait(
    bench: Bench, count: int, operate: plane.UsherProcess, *, connections: int
) -> dict[str, float]:
    await operate.stop()
    await at_once(bench.harness.api, list(itertools.islice(bench.requests("alone"), count)), connections=connections)
    await operate.start()
    with bench.harness.shares("BotRequest to Job without the controller manager", operate):
        return await bench.all_created("alone", count)


async def _raw_jobs(bench: Bench, count: int, *, connections: int) -> Outcome:
    """Jobs as Usher builds them, suspended, so that nobody works on them later either."""
    newest = (await bench.harness.call("GET", f"{JOBS}?limit=1")).body
    job = _template(newest)
    target = bench.harness.api
    path = f"/apis/batch/v1/namespaces/{RAW}/jobs"
    payloads = []
    for number in range(count):
        job["metadata"]["name"] = f"raw-{number}"
        payloads.append(target.request("POST", path, json.dumps(job).encode()))
    return await at_once(target, payloads, connections=connections)


def _template(listed: bytes) -> dict[str, Any]:
    job: dict[str, Any] = parsed(listed)["items"][0]
    metadata, spec = job["metadata"], job["spec"]
    kept = {key: metadata[key] for key in ("labels", "annotations") if key in metadata}
    spec = {key: value for key, value in spec.items() if key not in ("selector", "template")} | {
        "suspend": True,
        "template": {"metadata": {"labels": {"app": "raw"}}, "spec": job["spec"]["template"]["spec"]},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": kept, "spec": spec}


async def _manager_ceiling(bench: Bench) -> list[Figure]:
    """How fast the controller manager makes pods of Jobs that wait for it."""
    waiting, before = await bench.harness.count(JOBS), await bench.harness.count(PODS)
    bench.harness.start("controller-manager")
    began, until = time.monotonic(), time.monotonic() + PATIENCE_S
    first: float | None = None
    while (made := await bench.harness.count(PODS) - before) < waiting and time.monotonic() < until:
        if made and first is None:
            first = time.monotonic()
        await asyncio.sleep(0.2)
    rate = made / (time.monotonic() - (first or began))
    return [Figure(name="controller manager", value=rate, unit="pods/s", note="the machine's own: not Usher's")]
