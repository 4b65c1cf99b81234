"""What a sweep asks of Postgres: every stale rule over a long history and many live bots."""

import statistics
import time
from typing import Any

from sqlalchemy import text

from tests.load import plane, rows
from tests.load.bench.figures import Figure
from tests.load.bench.harness import Harness
from usher_models.db import stale_rules
from usher_models.db.bots import SELECT_BOT
from usher_models.db.engine import Database
from usher_operator.settings import Settings

RULES = {rule: float(Settings.model_fields[rule.setting].default) for rule in stale_rules.RULES}
# The heartbeats are the live bots themselves and nothing else; the other tables hold all that ever was.
HISTORY = ("meetings", "bots", "transitions")


async def run(harness: Harness, load: dict[str, Any]) -> list[Figure]:
    """Milliseconds for all rules together, the growth with the number of live bots, and scans of the history."""
    async with plane.fresh_database() as (_, database):
        harness.say(f"writing {load['history']:,} ended bots")
        await rows.past_bots(database, load["history"], namespace=plane.NAMESPACE)
        await rows.live_bots(database, load["few"], namespace=plane.NAMESPACE, name="few-")
        few = await _rules_ms(database, load["repeats"])
        await rows.live_bots(database, load["many"] - load["few"], namespace=plane.NAMESPACE, name="many-")
        many = await _rules_ms(database, load["repeats"])
        if load["live"] > load["many"]:
            await rows.live_bots(database, load["live"] - load["many"], namespace=plane.NAMESPACE, name="more-")
        full = await _rules_ms(database, load["repeats"])
        scans = await _sequential_scans(database)
    growth = f"{few:.1f} ms with {load['few']} live, {many:.1f} ms with {load['many']:,}"
    return [
        Figure(name="sweep", value=full, unit="ms", note=f"{load['history']:,} ended, {load['live']:,} live; {growth}"),
        Figure(name="sweep's scans of history", value=float(len(scans)), unit="", note=", ".join(sorted(scans))),
        Figure(name="sweep per live bot", value=1000 * (many - few) / (load["many"] - load["few"]), unit="µs"),
    ]


async def _rules_ms(database: Database, repeats: int) -> float:
    await rows.vacuum(database)
    took = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        async with database.transaction() as connection:
            for rule, limit_s in RULES.items():
                await stale_rules.stale_bots(connection, rule, limit_s=limit_s, max_credit_s=3600)
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took[1:])


async def _sequential_scans(database: Database) -> set[str]:
    found = set()
    async with database.transaction() as connection:
        for rule, limit_s in RULES.items():
            condition, values = stale_rules.guard(rule, limit_s=limit_s, max_credit_s=3600)
            query = (
                f"EXPLAIN {SELECT_BOT} JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id"
                f" WHERE b.ended_at IS NULL AND {condition}"
            )
            plan = "\n".join((await connection.scalars(text(query), values)).all())
            found |= {f"{table} ({rule.reason})" for table in HISTORY if f"Seq Scan on {table}" in plan}
    return found
