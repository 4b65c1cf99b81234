"""What is asked all the time must not cost more as the history grows: none of it reads a whole table.

Production's functions are called as they are; each statement that they send is explained by the Postgres that runs it.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import TextClause, event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.load import rows
from tests.load.botswarm.bot import Identity
from tests.scenario import Scenario, a_request
from usher_models.db import (
    bots,
    desired_state,
    engine,
    evidence,
    external_ends,
    heartbeats,
    meeting_search,
    object_deletions,
    reservations,
    stale_rules,
    status_writes,
    transitions,
)
from usher_models.db.engine import Database
from usher_models.db.heartbeats import Heartbeat
from usher_models.db.speaker import Speaker
from usher_models.db.transitions import Report
from usher_models.states import Status

pytestmark = [pytest.mark.own_database, pytest.mark.timeout(60)]

HISTORY, LIVE = 20_000, 30
GROWING = ("meetings", "meeting_sessions", "bots", "transitions")
Act = Callable[[AsyncConnection], Awaitable[object]]


async def whole_tables_read(database: Database, act: Act) -> set[str]:
    """Which growing tables a plan of what `act` sends would read from end to end, row by row or by an index."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "SAVEPOINT" not in statement:
            sent.append((statement, parameters))

    async with database.transaction() as connection:
        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        try:
            await act(connection)
        finally:
            event.remove(database.engine.sync_engine, "before_cursor_execute", note)
        assert sent
        plans = [
            (await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)).scalar_one()[0]["Plan"]
            for statement, parameters in sent
        ]
        partial_indexes = set(await connection.scalars(_PARTIAL))
    nodes = (node for plan in plans for node in _nodes(plan))
    return {node["Relation Name"] for node in nodes if _reads_all(node, partial_indexes)}


# An index on the few rows that matter may well be read as a whole.
_PARTIAL = text("SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL")


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)


def _reads_all(node: dict[str, Any], partial_indexes: set[str]) -> bool:
    if node.get("Relation Name") not in GROWING or node["Node Type"] == "Bitmap Heap Scan":
        return False
    by_index = node["Node Type"] in ("Index Scan", "Index Only Scan")
    names = {node.get("Index Name"), f"usher.{node.get('Index Name')}"}
    return node["Node Type"] == "Seq Scan" or (by_index and "Index Cond" not in node and not names & partial_indexes)


async def one_after_the_other(
    connection: AsyncConnection, statements: Sequence[TextClause], values: Mapping[str, Any]
) -> list[list[dict[str, Any]]]:
    """`in_one_exchange` without the pipeline, which nobody can listen to."""
    found = []
    for each in statements:
        result = await connection.execute(each, {name: values[name] for name in each._bindparams})
        found.append([dict(row._mapping) for row in result] if result.returns_rows else [])
    return found


def speaker_of(bot: Identity) -> Speaker:
    return Speaker(namespace=bot.namespace, job_name=bot.job_name, pod_uid=bot.pod_uid)


@pytest.mark.direct
async def test_nothing_that_is_asked_all_the_time_reads_a_whole_table(given: Scenario) -> None:
    user = await given.a_user(cap=5)
    await rows.past_bots(given.database, HISTORY, namespace="bots")
    identity, *others = await rows.live_bots(given.database, LIVE, namespace="bots")
    await rows.vacuum(given.database)
    who = identity.connection_id
    speaker = speaker_of(identity)
    first, *sent = [
        Heartbeat(connection_id=each.connection_id, speaker=speaker_of(each)) for each in (identity, *others)
    ]
    milestone = Report(connection_id=who, target=Status.STOPPING, reason="told", speaker=speaker)
    acts: dict[str, Act] = {
        "a reservation": lambda connection: reservations.reserve(connection, a_request(user)),
        "a heartbeat": lambda connection: heartbeats.record(connection, first),
        "heartbeats together": lambda connection: heartbeats.record_many(connection, sent),
        "a report": lambda connection: transitions.report(connection, milestone),
        "a milestone": lambda connection: transitions.report(connection, milestone),
        "what a bot says below": lambda connection: heartbeats.record_details(
            connection, who, speaker=speaker, stage="in_meeting"
        ),
        "a bot by its connection": lambda connection: bots.bot_by_connection(connection, who),
        "whose requests connections are": lambda connection: bots.requests_of(connection, [who]),
        "the live bots": bots.live_bots,
        "the live bots, in short": bots.live_summaries,
        "the rows that cannot be read": bots.unreadable_bots,
        "what others ended": partial(external_ends.follow, limit=1000),
        "what is late": partial(stale_rules.count_reports, after_s=90, max_credit_s=3600),
        "what is not shown yet": lambda connection: status_writes.unwritten_bots(connection, delay_s=5, limit=200),
        "whose evidence is due": lambda connection: evidence.due(connection, limit=50),
        "what is to be deleted": lambda connection: object_deletions.due(connection, limit=200),
        "who does not leave": lambda connection: desired_state.bots_ignoring_leave(connection, grace_s=30),
        "who stays too long": desired_state.overdue_bots,
    }
    for rule in stale_rules.RULES:
        acts[f"the rule {rule.reason}"] = partial(stale_rules.stale_bots, rule=rule, limit_s=120, max_credit_s=3600)
    with ExitStack() as stack:
        for module in (engine, reservations, heartbeats):
            stack.enter_context(patch.object(module, "in_one_exchange", one_after_the_other))
        found = {name: await whole_tables_read(given.database, act) for name, act in acts.items()}
    assert found == {name: set() for name in acts}


async def test_a_statement_that_no_index_helps_is_found(given: Scenario) -> None:
    found = await whole_tables_read(given.database, partial(meeting_search.bot_named, name="standup"))
    assert "bots" in found
