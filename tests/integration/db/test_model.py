"""The model's database answers as Postgres does: each act, on every row there can be.

`tests/model` explores histories with a database of its own, which decides by the tables in `usher_models.states`. Here
every row of the product is written to Postgres, the production function acts on it, and the model says what must come
of it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import product

import pytest
from sqlalchemy import text

from tests.model import store
from tests.model.system import Row
from tests.scenario import Scenario, heartbeat_of, speaker_of
from usher_models.db import desired_state, heartbeats, stale_rules, transitions
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.transitions import Closing, Report
from usher_models.errors import AnotherPodSpeaks, CallbackRejected, IllegalMove, MeetingOver
from usher_models.states import LIVE, TERMINAL, Judgement, Source, Status

pytestmark = [pytest.mark.own_database, pytest.mark.timeout(120)]

LIMIT_S = 600
EVENT = "heard-before"
CLIENTS = 8

ROWS = [
    Row(status=status, pod=pod, leave=leave, joined=joined, stale=stale, events=events)
    for status, pod, leave, joined, stale, events in product(
        sorted(LIVE), (0, 1), (False, True), (False, True), (False, True), (frozenset[str](), frozenset({EVENT}))
    )
] + [
    Row(status=status, pod=pod, ended_by=source)
    for status, pod, source in product(sorted(TERMINAL), (0, 1), (Source.BOT, Source.EVIDENCE))
]

_SET = text("""
WITH meeting AS (
    UPDATE meetings SET status = :status WHERE id = :id
), beat AS (
    UPDATE usher.heartbeats SET at = now() - make_interval(secs => :age) WHERE meeting_id = :id AND NOT :over
), over AS (
    DELETE FROM usher.heartbeats WHERE meeting_id = :id AND :over
), noted AS (
    INSERT INTO usher.transitions (meeting_id, seq, from_status, to_status, source, reason, event_id)
    SELECT :id, 2, 'reserved', :status, CAST(:source AS varchar), 'set', CAST(:event AS varchar)
)
UPDATE usher.bots
SET transition_seq = 2, pod_uid = :pod, desired = :desired, ended_at = CASE WHEN :over THEN now() END,
    joined_at = CASE WHEN :joined THEN now() END, reserved_at = now() - make_interval(secs => :age),
    started_at = CASE WHEN :status <> 'reserved' THEN now() - make_interval(secs => :age) END,
    status_changed_at = now() - make_interval(secs => :age)
WHERE meeting_id = :id
""")

_GET = text("""
SELECT m.status, b.pod_uid, b.desired, b.joined_at, b.ended_at,
       (SELECT source FROM usher.transitions t WHERE t.meeting_id = b.meeting_id ORDER BY seq DESC LIMIT 1) AS source,
       CASE m.status WHEN 'active' THEN h.at WHEN 'reserved' THEN b.reserved_at WHEN 'starting' THEN b.started_at
                     ELSE b.status_changed_at END < now() - make_interval(secs => :limit) AS stale,
       (SELECT count(*) FROM usher.transitions t WHERE t.meeting_id = b.meeting_id) AS lines, b.transition_seq
FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id LEFT JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id
WHERE b.meeting_id = :id
""")


async def write(database: Database, bot: Bot, row: Row) -> None:
    """Make the row in Postgres what the model's is."""
    values = {
        "id": bot.meeting_id,
        "status": row.status,
        "over": not row.live,
        "age": LIMIT_S + 60 if row.stale else 0,
        "source": row.ended_by or Source.BOT,
        "event": EVENT if row.events else None,
        "pod": f"pod-{row.pod}" if row.pod else None,
        "desired": "leave" if row.leave else "run",
        "joined": row.joined,
    }
    async with database.transaction() as connection:
        await connection.execute(_SET, values)


async def read(database: Database, bot: Bot, *, heard: frozenset[str]) -> Row:
    """The row in Postgres, as the model knows it; every change of status has left one line."""
    async with database.transaction() as connection:
        found = (await connection.execute(_GET, {"id": bot.meeting_id, "limit": LIMIT_S})).one()
    assert found.lines == found.transition_seq
    status, pod = Status(found.status), int((found.pod_uid or "pod-0")[4:])
    if status in TERMINAL:
        assert found.ended_at
        return Row(status=status, pod=pod, ended_by=Source(found.source))
    return Row(
        status=status,
        pod=pod,
        leave=found.desired == "leave",
        joined=found.joined_at is not None,
        stale=found.stale,
        events=heard,
    )


Act = Callable[[Bot], Awaitable[object]]
Model = Callable[[Row], tuple[object, Row]]


async def both_agree(given: Scenario, act: Act, model: Model) -> None:
    """What the act answers and leaves behind is what the model says, for every row."""
    bots = await given.copies_of(await given.a_bot(lobby_timeout_s=60), len(ROWS))
    cases = list(zip(bots, ROWS, strict=True))
    disagreed: list[str] = []

    async def compare(some: list[tuple[Bot, Row]]) -> None:
        for bot, row in some:
            await write(given.database, bot, row)
            expected = model(row)
            answer = await act(bot)
            found = await read(given.database, bot, heard=expected[1].events)
            if (answer, found) != expected:
                disagreed.append(f"{row}\n  model: {expected}\n  Postgres: {(answer, found)}")

    async with asyncio.TaskGroup() as group:
        for at in range(CLIENTS):
            group.create_task(compare(cases[at::CLIENTS]))
    assert not disagreed, "\n".join(disagreed[:5])


REFUSALS: dict[type[CallbackRejected], Judgement] = {
    AnotherPodSpeaks: Judgement.ANOTHER_POD_SPEAKS,
    MeetingOver: Judgement.OVER,
    IllegalMove: Judgement.ILLEGAL,
}


@pytest.mark.parametrize("event", [EVENT, "new"])
@pytest.mark.parametrize("target", sorted(set(Status) - {Status.RESERVED}))
async def test_a_report(given: Scenario, target: Status, event: str) -> None:
    async def act(bot: Bot) -> object:
        answers: list[object] = []
        for pod_uid in ("pod-2", "pod-1"):
            speaker = speaker_of(bot, pod_uid=pod_uid)
            each = Report(
                connection_id=bot.connection_id, target=target, reason="told", speaker=speaker, event_id=event
            )
            try:
                async with given.database.at_once() as connection:
                    answers.append((await transitions.report(connection, each)).applied)
            except tuple(REFUSALS) as exc:
                answers.append(REFUSALS[type(exc)])
        return answers

    def model(row: Row) -> tuple[object, Row]:
        answers: list[object] = []
        for pod in (2, 1):
            judgement, row = store.report(row, target, pod, event, "told")
            refused = judgement in REFUSALS.values()
            answers.append(judgement if refused else judgement is Judgement.MOVED)
        return answers, row

    await both_agree(given, act, model)


@pytest.mark.parametrize("pod", [1, 2])
async def test_a_heartbeat(given: Scenario, pod: int) -> None:
    async def act(bot: Bot) -> object:
        try:
            async with given.database.transaction() as connection:
                await heartbeats.record(connection, heartbeat_of(bot, pod_uid=f"pod-{pod}"))
        except tuple(REFUSALS) as exc:
            return REFUSALS[type(exc)]
        return Judgement.MOVED

    await both_agree(given, act, lambda row: store.beat(row, pod))


@pytest.mark.parametrize("pod", [1, 2])
async def test_a_heartbeat_among_others(given: Scenario, pod: int) -> None:
    async def act(bot: Bot) -> object:
        async with given.database.transaction() as connection:
            return bool(await heartbeats.record_many(connection, [heartbeat_of(bot, pod_uid=f"pod-{pod}")]))

    def model(row: Row) -> tuple[object, Row]:
        heard = store.beat_many(row, pod)
        return heard is not None, heard or row

    await both_agree(given, act, model)


OUTSIDERS = [(target, source) for target in sorted(TERMINAL) for source in (Source.OPERATOR, Source.API)]


@pytest.mark.parametrize(("target", "source"), OUTSIDERS)
async def test_the_end_of_a_reservation(given: Scenario, target: Status, source: Source) -> None:
    async def act(bot: Bot) -> object:
        async with given.database.transaction() as connection:
            ended = await transitions.move_reserved(
                connection, bot.connection_id, target=target, source=source, reason="why", message=None
            )
            return ended is not None

    def model(row: Row) -> tuple[object, Row]:
        ended = store.end_reserved(row, target, source, "why")
        return ended is not None, ended or row

    await both_agree(given, act, model)


async def _closed(given: Scenario, bot: Bot, target: Status, source: Source, rule: stale_rules.Rule | None) -> bool:
    guard, values = stale_rules.guard(rule, limit_s=LIMIT_S, max_credit_s=0) if rule else ("true", {})
    closing = Closing(meeting_id=bot.meeting_id, reason="why")
    async with given.database.transaction() as connection:
        return bool(
            await transitions.close_many(
                connection, [closing], target=target, source=source, guard=guard, guard_values=values
            )
        )


@pytest.mark.parametrize("rule", stale_rules.RULES, ids=[rule.reason for rule in stale_rules.RULES])
async def test_an_end_by_silence(given: Scenario, rule: stale_rules.Rule) -> None:
    def model(row: Row) -> tuple[object, Row]:
        ended = store.close(row, Status.FAILED, Source.RECONCILER, "why", status=rule.status, stale=True)
        return ended is not None, ended or row

    await both_agree(given, lambda bot: _closed(given, bot, Status.FAILED, Source.RECONCILER, rule), model)


@pytest.mark.parametrize("target", sorted(TERMINAL))
async def test_an_end_by_evidence(given: Scenario, target: Status) -> None:
    def model(row: Row) -> tuple[object, Row]:
        ended = store.close(row, target, Source.EVIDENCE, "why", status=None, stale=False)
        return ended is not None, ended or row

    await both_agree(given, lambda bot: _closed(given, bot, target, Source.EVIDENCE, None), model)


async def test_a_wish_to_leave(given: Scenario) -> None:
    async def act(bot: Bot) -> object:
        async with given.database.transaction() as connection:
            return bool(await desired_state.want_leave(connection, [bot.meeting_id], reason="stopped"))

    def model(row: Row) -> tuple[object, Row]:
        asked = store.want_leave(row)
        return asked is not None, asked or row

    await both_agree(given, act, model)
