"""A restart of the operator among ten thousand BotRequests: those of live bots, and as many ended ones as are missing,
with their rows and the statuses that Usher would have shown on them."""

import asyncio
import itertools
import json
import time
from dataclasses import replace
from typing import Any

from sqlalchemy import text

from tests.load import plane, rows
from tests.load.bench.figures import Figure
from tests.load.bench.harness import REQUESTS, Harness, parsed, rss_mib
from tests.load.bench.lives import Lives, lives
from tests.load.bench.load import Target, at_once
from tests.load.bench.request_load import LONG
from usher_models.db import bots
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.installation import installation_id
from usher_operator.kube.botrequest_status import status_of

CONNECTIONS = 16
SHOWN_WITHIN_S = 120.0
# Longer than all of this takes.
MEETING_S = 900
PAST = "past-"
_UIDS = text("""
UPDATE usher.bots b SET request_uid = given.uid
FROM unnest(CAST(:names AS varchar[]), CAST(:uids AS varchar[])) AS given (name, uid) WHERE b.request_name = given.name
""")
_METADATA = ("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")


async def run(harness: Harness, load: dict[str, Any]) -> list[Figure]:
    """In a control plane that is made anew before and afterwards: what others left would be found, or be a burden."""
    await harness.renew()
    async with lives(harness, meeting_s=MEETING_S) as those:
        await _bring_to_life(those, load["live"])
        await those.operate.stop()
        await _fill_up(harness, those.bench.database, load["requests"])
        figures = await _measured(those, load)
    await harness.renew()
    return figures


async def _bring_to_life(those: Lives, live: int) -> None:
    bench = those.bench
    await at_once(bench.harness.api, list(itertools.islice(bench.requests(LONG), live)), connections=CONNECTIONS)
    await bench.all_created(LONG, live)
    await bench.all_active(within_s=SHOWN_WITHIN_S)
    await bench.all_shown(within_s=SHOWN_WITHIN_S)


async def _measured(those: Lives, load: dict[str, Any]) -> list[Figure]:
    """Start the operator again, and look at it for `load["within_s"]`."""
    bench = those.bench
    requests, live = await bench.harness.count(REQUESTS), len(those.swarm.live())
    bench.harness.writes()
    began = time.time()
    again = replace(those.operate, process=None)
    async with again.running():
        with bench.harness.shares("restart of the operator", again):
            await at_once(bench.harness.api, list(itertools.islice(bench.requests("after"), 1)), connections=1)
            created = await bench.all_created("after", 1)
            took = (max(created.values()) if created else float("nan")) - began
            await asyncio.sleep(load["within_s"] - min(took, load["within_s"]))
            writes = bench.harness.writes()
            memory = rss_mib(again.pid)
    note = f"{requests} BotRequests, {live} live bots"
    return [
        Figure(name="restart", value=took, unit="s", note=note),
        Figure(name="restart load", value=float(requests), unit=""),
        Figure(name="restart writes", value=float(writes.total()), unit="", note=str(dict(writes.most_common(4)))),
        Figure(name="operator memory", value=memory, unit="MiB", note=note),
    ]


async def _fill_up(harness: Harness, database: Database, wanted: int) -> None:
    missing = wanted - await harness.count(REQUESTS)
    if missing <= 0:
        return
    harness.say(f"making {missing} BotRequests whose bots have ended")
    await rows.past_bots(database, missing, namespace=plane.NAMESPACE, name=PAST)
    async with database.transaction() as connection:
        query = text("SELECT meeting_id FROM usher.bots WHERE starts_with(request_name, :past)")
        ids = (await connection.scalars(query, {"past": PAST})).all()
        past = list((await bots.bots_by_id(connection, list(ids))).values())
        own = str(await installation_id(connection))
    api = harness.api
    await _sent(api, [api.request("POST", REQUESTS, json.dumps(_request(bot)).encode()) for bot in past], 201)
    await _know_uids(harness, database)
    merge = "application/merge-patch+json"
    paths = {bot.meeting_id: f"{REQUESTS}/{bot.request_name}/status" for bot in past}
    statuses = {bot.meeting_id: json.dumps({"status": status_of(bot, installation=own)}).encode() for bot in past}
    patches = [api.request("PATCH", paths[each], statuses[each], content=merge) for each in paths]
    await _sent(api, patches, 200)


def _request(bot: Bot) -> dict[str, Any]:
    spec = {
        "userId": bot.user_id,
        "platform": bot.platform,
        "nativeMeetingId": bot.native_id,
        "connectionId": bot.connection_id,
    }
    metadata = {"name": bot.request_name}
    return {"apiVersion": "usher.dev/v1alpha1", "kind": "BotRequest", "metadata": metadata, "spec": spec}


async def _sent(api: Target, payloads: list[bytes], wanted: int) -> None:
    answers = (await at_once(api, payloads, connections=CONNECTIONS)).answers
    if answers[wanted] != len(payloads):
        raise RuntimeError(f"The BotRequests of the restart could not be made: {dict(answers)}.")


async def _know_uids(harness: Harness, database: Database) -> None:
    api = replace(harness.api, headers=(*harness.api.headers, _METADATA))
    outcome = await at_once(api, [api.request("GET", REQUESTS)], connections=1)
    assert outcome.last is not None
    listed = [one["metadata"] for one in parsed(outcome.last.body)["items"]]
    uids = {one["name"]: one["uid"] for one in listed if one["name"].startswith(PAST)}
    async with database.transaction() as connection:
        await connection.execute(_UIDS, {"names": list(uids), "uids": list(uids.values())})
