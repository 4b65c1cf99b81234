"""Commands on their way to bots: by Redis, and without it by the answer to the next heartbeat."""

import asyncio
import itertools
import json
import random
import time
from typing import Any

from sqlalchemy import text

from dev.stores.settings import load as stores
from tests.load import plane, rows
from tests.load.bench.figures import Figure
from tests.load.bench.harness import Harness
from tests.load.bench.load import Target, one
from tests.load.botswarm import Histogram, Script, Swarm, TokenSigner
from tests.load.botswarm.bot import Bot
from usher_models.db import api_tokens
from usher_models.db.engine import Database

_WHO = text("SELECT m.id, m.user_id, m.platform_specific_id AS native_id FROM meetings m WHERE m.status = 'active'")


async def run(harness: Harness, load: dict[str, Any]) -> list[Figure]:
    """Seconds from the client's request to the bot."""
    with_redis, missed = await _measured(
        harness, load, redis_url=stores().redis_url, count=int(load["rate"] * load["seconds"])
    )
    without, missed_without = await _measured(harness, load, redis_url="", count=load["without_redis"])
    return [
        Figure(name="command p50", value=1000 * with_redis.quantile(0.5), unit="ms", note=with_redis.summary()),
        Figure(name="command p99", value=1000 * with_redis.quantile(0.99), unit="ms"),
        Figure(
            name="command without Redis",
            value=without.longest_s,
            unit="s",
            note=f"the longest of {without.count}, beats every {load['beat_s']} s",
        ),
        Figure(name="commands missed", value=float(missed + missed_without), unit=""),
    ]


async def _measured(harness: Harness, load: dict[str, Any], *, redis_url: str, count: int) -> tuple[Histogram, int]:
    latency = Histogram()
    sent: dict[int, float] = {}

    def told(bot: Bot, event: str, at: float) -> None:
        if event.startswith("command") and bot.identity.meeting_id in sent:
            latency.add(at - sent.pop(bot.identity.meeting_id))

    async with plane.fresh_database() as (url, database):
        settings = {"USHER_HEARTBEAT_INTERVAL_S": str(load["beat_s"])}
        serve = plane.serve(
            kubeconfig=harness.kubeconfig, database_url=url, folder=harness.folder, redis_url=redis_url, **settings
        )
        async with serve.running():
            bots = await rows.live_bots(database, load["bots"], namespace=plane.NAMESPACE)
            targets, who = await _owners(database)
            swarm = Swarm(
                url=f"http://127.0.0.1:{plane.CALLBACK_PORT}",
                tokens=TokenSigner.of_cluster(harness.settings),
                redis_url=redis_url or None,
                beat_s=load["beat_s"],
                seed=1,
                on_event=told,
            )
            async with swarm.running():
                for bot in bots:
                    swarm.add(bot, Script(present=True))
                await asyncio.sleep(load["beat_s"] + 1)
                with harness.shares(f"commands {'by' if redis_url else 'without'} Redis", serve):
                    await _send(targets, who, sent, rate=load["rate"], count=count)
                    await asyncio.sleep(load["beat_s"] + 2)
    return latency, len(sent)


async def _owners(database: Database) -> tuple[dict[int, Target], list[Any]]:
    async with database.transaction() as connection:
        who = list((await connection.execute(_WHO)).all())
        targets = {}
        for user in {row.user_id for row in who}:
            _, secret = await api_tokens.create_token(connection, user)
            headers = (("X-API-Key", secret),)
            targets[user] = Target(host="127.0.0.1", port=plane.API_PORT, headers=headers)
    return targets, who


async def _send(targets: dict[int, Target], who: list[Any], sent: dict[int, float], *, rate: float, count: int) -> None:
    generator, due, tasks = random.Random(2), time.monotonic(), []
    for row in itertools.islice(who, count):
        due += generator.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        sent[row.id] = due
        target = targets[row.user_id]
        path = f"/bots/zoom/{row.native_id}/config"
        payload = target.request("PUT", path, json.dumps({"language": "de"}).encode())
        tasks.append(asyncio.create_task(one(target, payload)))
    await asyncio.gather(*tasks)
