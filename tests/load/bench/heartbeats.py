"""Heartbeats of many bots on one serve process: at their own pace, and as fast as it can."""

import asyncio
import gc
import json
from typing import Any

from tests.load import plane, rows
from tests.load.bench.ceilings import echo_rate
from tests.load.bench.figures import Figure
from tests.load.bench.harness import Harness, rss_mib
from tests.load.bench.load import Target, at_once
from tests.load.botswarm import Histogram, Identity, Script, Swarm, TokenSigner
from usher_models.db.engine import Database

CONNECTIONS = 64
TOGETHER = 20
SETTLES_S = 1.0


async def run(harness: Harness, load: dict[str, Any]) -> list[Figure]:
    """Rate, latency, losses and memory; the ceiling is a bare aiohttp server that parses and answers JSON."""
    interval_s = load["bots"] / load["rate"]
    async with plane.fresh_database() as (url, database):
        serve = plane.serve(
            kubeconfig=harness.kubeconfig,
            database_url=url,
            folder=harness.folder,
            USHER_HEARTBEAT_INTERVAL_S=f"{interval_s:.3f}",
            USHER_HEARTBEAT_TIMEOUT_S="600",
        )
        async with serve.running():
            bots = await rows.live_bots(database, load["bots"], namespace=plane.NAMESPACE)
            await rows.vacuum(database)
            paced = await _paced(harness, serve, database, bots, load)
            fastest = await _fastest(harness, serve, bots[:2000], seconds=load["echo_s"])
        ceiling = await echo_rate(_beat(bots[0], 1), int(fastest * load["echo_s"]), connections=CONNECTIONS)
    return [*paced, Figure(name="heartbeat capacity", value=fastest, unit="/s", ceiling=ceiling)]


async def _paced(
    harness: Harness, serve: plane.UsherProcess, database: Database, bots: list[Identity], load: dict[str, Any]
) -> list[Figure]:
    swarm = Swarm(
        url=f"http://127.0.0.1:{plane.CALLBACK_PORT}",
        tokens=TokenSigner.of_cluster(harness.settings),
        # Bots share no connections. With few, all wait in one batch, and then all speak at once.
        connections=load["connections"],
        beat_s=load["bots"] / load["rate"],
        seed=1,
    )
    async with swarm.running():
        # The first beat of each has a token to be signed and verified, which in life is spread over an hour.
        for place, bot in enumerate(bots, 1):
            swarm.add(bot, Script(present=True))
            if place % TOGETHER == 0:
                await asyncio.sleep(load["warmup_s"] * TOGETHER / len(bots))
        await asyncio.sleep(2 * load["bots"] / load["rate"])
        # Looking through all those bots for garbage would be a pause of the load's own, and a burst after it.
        gc.collect()
        gc.freeze()
        with harness.shares("heartbeats", serve):
            # So is the look at every process there is, with which this begins.
            await asyncio.sleep(SETTLES_S)
            swarm.figures.reset()
            swarm.late_s = 0.0
            await asyncio.sleep(load["seconds"])
        gc.unfreeze()
        figures = swarm.figures
        beats = figures.latency.get("heartbeat", Histogram())
        note = (
            f"p50 {1000 * beats.quantile(0.5):.1f} ms; the swarm itself was late by up to {1000 * swarm.late_s:.0f} ms"
        )
        return [
            Figure(name="heartbeats", value=figures.acknowledged["heartbeat"] / load["seconds"], unit="/s"),
            Figure(name="heartbeat p50", value=1000 * beats.quantile(0.5), unit="ms"),
            Figure(name="heartbeat p99", value=1000 * beats.quantile(0.99), unit="ms", note=note),
            Figure(name="heartbeats lost", value=float(figures.lost.total() + figures.declined.total()), unit=""),
            Figure(name="serve memory", value=rss_mib(serve.pid), unit="MiB", note=f"{len(bots)} live bots"),
        ]


async def _fastest(harness: Harness, serve: plane.UsherProcess, bots: list[Identity], *, seconds: float) -> float:
    """Beats per second on 64 connections, each of which asks as soon as it was answered."""
    signer = TokenSigner.of_cluster(harness.settings)
    payloads = []
    for bot in bots:
        headers = (("Authorization", f"Bearer {signer.token(bot).text}"),)
        target = Target(host="127.0.0.1", port=plane.CALLBACK_PORT, headers=headers)
        payloads.append(target.request("POST", "/bots/internal/callback/heartbeat", _beat(bot, 10**9)))
    await at_once(target, payloads, connections=CONNECTIONS)
    done, took = 0, 0.0
    with harness.shares("heartbeats, as fast as can be", serve):
        while took < seconds:
            outcome = await at_once(target, payloads, connections=CONNECTIONS)
            done, took = done + outcome.answers[200], took + outcome.seconds
    return done / took


def _beat(bot: Identity, seq: int) -> bytes:
    body = {
        "connection_id": bot.connection_id,
        "seq": seq,
        "status": "active",
        "stage": "in_meeting",
        "participants": 3,
    }
    return json.dumps(body).encode()
