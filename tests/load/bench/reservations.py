"""Reservations over HTTP: `POST /bots` at a steady rate, and one user who asks as fast as connections allow."""

import itertools
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import text

from dev.stores.settings import load as stores
from tests.load import plane, rows
from tests.load.bench.ceilings import plain_reserve_rate, sql_reserve_rate
from tests.load.bench.figures import Figure
from tests.load.bench.harness import Harness
from tests.load.bench.load import Target, at_once, poisson
from usher_models.db import api_tokens
from usher_models.db.engine import Database

_numbers = itertools.count(500_000_000)


async def run(harness: Harness, load: dict[str, Any]) -> list[Figure]:
    """Latency at the rate, and the hot user's rate; the ceilings are bare aiohttp with psycopg, and psycopg alone."""
    async with plane.fresh_database() as (url, database):
        targets = await _users(database, 100)
        serve = plane.serve(
            kubeconfig=harness.kubeconfig, database_url=url, folder=harness.folder, redis_url=stores().redis_url
        )
        async with serve.running():
            await poisson(targets[0], _asking(targets), rate=20, seconds=2)
            hot = partial(_hottest, harness, database, targets[0], load, serve)
            with harness.shares("POST /bots at a steady rate", serve):
                steady = await poisson(targets[0], _asking(targets), rate=load["rate"], seconds=load["seconds"])
            whole = await hot(name="one hot user, BotRequests and all")
            # The rows are Usher's to make, the BotRequests the API server's, and here it has cores to itself.
            harness.stop("apiserver")
            try:
                hottest = await hot(name="one hot user")
                ceiling = await plain_reserve_rate(url, load["ceiling"], connections=load["hot_connections"])
                sql = await sql_reserve_rate(url, load["ceiling"])
            finally:
                harness.start("apiserver")
    refused = steady.latency.count - steady.answers[201]
    note = f"{steady.latency.summary()}; {refused} not admitted"
    return [
        Figure(name="POST /bots p50", value=1000 * steady.latency.quantile(0.5), unit="ms"),
        Figure(name="POST /bots p99", value=1000 * steady.latency.quantile(0.99), unit="ms", note=note),
        Figure(name="POST /bots refused", value=float(refused), unit=""),
        Figure(
            name="hot user",
            value=hottest,
            unit="/s",
            ceiling=ceiling,
            note=f"with the API server away, so that BotRequests wait; psycopg alone {sql:.0f}/s",
        ),
        Figure(name="hot user, BotRequests and all", value=whole, unit="/s", note="the API server on the same cores"),
    ]


async def _hottest(
    harness: Harness, database: Database, user: Target, load: dict[str, Any], serve: plane.UsherProcess, *, name: str
) -> float:
    # A user's live meetings are counted each time, and nobody has thousands.
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE meetings SET status = 'completed'"))
    asked = list(itertools.islice(_asking([user]), load["hot"]))
    with harness.shares(name, serve):
        return (await at_once(user, asked, connections=load["hot_connections"])).rate(201)


async def _users(database: Database, count: int) -> list[Target]:
    async with database.transaction() as connection:
        users = await rows.users(connection, count, cap=1_000_000)
        secrets = [(await api_tokens.create_token(connection, user))[1] for user in users]
    return [Target(host="127.0.0.1", port=plane.API_PORT, headers=(("X-API-Key", secret),)) for secret in secrets]


def _asking(targets: list[Target]) -> Iterator[bytes]:
    for target in itertools.cycle(targets):
        body = {"platform": "zoom", "native_meeting_id": str(next(_numbers))}
        yield target.request("POST", "/bots", json.dumps(body).encode())
