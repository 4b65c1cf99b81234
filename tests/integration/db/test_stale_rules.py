"""Each stale rule on both sides of its limit, and what saves a bot from it."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import text

from tests.scenario import BotInTheMaking, Scenario, a_request, heartbeat_of, speaker_of
from usher_models.db import heartbeats, stale_rules, transitions
from usher_models.db.bots import BotSummary, StaleBot
from usher_models.db.reservations import reserve
from usher_models.db.stale_rules import RULES, Rule, rule_of
from usher_models.db.transitions import Closing
from usher_models.states import Reason, Source, Status

NEVER_STARTED, NEVER_JOINED = rule_of(Reason.NEVER_STARTED), rule_of(Reason.NEVER_JOINED)
HEARTBEAT_LOST, NEVER_EXITED = rule_of(Reason.HEARTBEAT_LOST), rule_of(Reason.NEVER_EXITED)

LIMIT_S = 600
LOBBY_S = 60

# A bot that came to the rule's status `ago` seconds before, and would be spared if another clock counted.
AGED: dict[Rule, Callable[[Scenario, float], BotInTheMaking]] = {
    NEVER_STARTED: lambda given, ago: given.a_bot(lobby_timeout_s=LOBBY_S).waited(ago),
    NEVER_JOINED: lambda given, ago: given.a_bot(lobby_timeout_s=LOBBY_S).starting().waited(ago).beating(),
    HEARTBEAT_LOST: lambda given, ago: (
        given.a_bot(lobby_timeout_s=LOBBY_S).active().waited(5_000).with_last_beat(ago=ago)
    ),
    NEVER_EXITED: lambda given, ago: given.a_bot(lobby_timeout_s=LOBBY_S).active().stopping().waited(ago).beating(),
}
EACH_RULE = pytest.mark.parametrize("rule", RULES, ids=[rule.reason for rule in RULES])


async def found(given: Scenario, rule: Rule, *, credit_s: float = 0) -> list[StaleBot]:
    async with given.database.transaction() as connection:
        return await stale_rules.stale_bots(connection, rule, limit_s=LIMIT_S, max_credit_s=credit_s)


async def closed(given: Scenario, rule: Rule, bots: Sequence[BotSummary], *, credit_s: float = 0) -> list[int]:
    """The ids of those that the rule ended."""
    condition, values = stale_rules.guard(rule, limit_s=LIMIT_S, max_credit_s=credit_s)
    async with given.database.transaction() as connection:
        moved = await transitions.close_many(
            connection,
            [Closing(meeting_id=bot.meeting_id, reason=rule.reason) for bot in bots],
            target=Status.FAILED,
            source=Source.RECONCILER,
            guard=condition,
            guard_values=values,
        )
    return [one.meeting_id for one in moved]


@EACH_RULE
async def test_within_the_limit_a_bot_lives(given: Scenario, rule: Rule) -> None:
    bot = await AGED[rule](given, LIMIT_S - 5)
    assert await found(given, rule) == []
    assert await closed(given, rule, [bot]) == []
    assert (await given.fresh(bot)).status is rule.status


@EACH_RULE
async def test_beyond_the_limit_a_bot_is_found_and_failed(given: Scenario, rule: Rule) -> None:
    bot = await AGED[rule](given, LIMIT_S + 1)
    assert [each.meeting_id for each in await found(given, rule)] == [bot.meeting_id]
    assert await closed(given, rule, [bot]) == [bot.meeting_id]
    now = await given.fresh(bot)
    assert (now.status, now.reason) == (Status.FAILED, rule.reason)
    assert await found(given, rule) == []


@EACH_RULE
@pytest.mark.parametrize("beyond", [-5, 5])
async def test_a_credit_moves_the_limit(given: Scenario, rule: Rule, beyond: int) -> None:
    """An outage of 90 s that is over for 10 s is not counted against a bot that was silent through all of it."""
    bot = await AGED[rule](given, LIMIT_S + 90 + beyond)
    await given.an_outage(lasted=90, ended_ago=10)
    assert [each.meeting_id for each in await found(given, rule)] == [bot.meeting_id]
    assert bool(await found(given, rule, credit_s=90)) == (beyond > 0)
    assert bool(await closed(given, rule, [bot], credit_s=90)) == (beyond > 0)


@EACH_RULE
async def test_a_rule_finds_only_its_own_status(given: Scenario, rule: Rule) -> None:
    for other in AGED:
        await AGED[other](given, LIMIT_S + 1)
    assert [bot.status for bot in await found(given, rule)] == [rule.status]


@EACH_RULE
async def test_what_moved_on_since_it_was_found_lives(given: Scenario, rule: Rule) -> None:
    bot = await AGED[rule](given, LIMIT_S + 1)
    (candidate,) = await found(given, rule)
    target = Status.COMPLETED if rule is NEVER_EXITED else Status.STOPPING
    async with given.database.transaction() as connection:
        told = transitions.Report(
            connection_id=bot.connection_id, target=target, reason="told", speaker=speaker_of(bot)
        )
        await transitions.report(connection, told)
    assert await closed(given, rule, [candidate]) == []
    assert (await given.fresh(bot)).status is target


@EACH_RULE
async def test_what_is_over_is_never_found(given: Scenario, rule: Rule) -> None:
    await AGED[rule](given, LIMIT_S + 1).completed()
    assert await found(given, rule) == []


@pytest.mark.parametrize(("waited", "stale"), [(899, False), (950, False), (961, True)])
async def test_a_lobby_budget_beyond_the_limit_counts(given: Scenario, waited: int, stale: bool) -> None:
    bot = await given.a_bot(lobby_timeout_s=900).starting().waited(waited).beating()
    assert bool(await found(given, NEVER_JOINED)) is stale
    assert bool(await closed(given, NEVER_JOINED, [bot])) is stale


async def test_only_silence_fails_an_active_bot(given: Scenario) -> None:
    await given.a_bot().starting().active().waited(1_000_000).beating()
    assert [await found(given, rule) for rule in AGED] == [[], [], [], []]


async def test_a_beat_between_finding_and_closing_saves_the_bot(given: Scenario) -> None:
    bot = await given.a_bot().active().with_last_beat(ago=LIMIT_S + 1)
    candidates = await found(given, HEARTBEAT_LOST)
    assert [each.meeting_id for each in candidates] == [bot.meeting_id]
    async with given.database.transaction() as connection:
        await heartbeats.record(connection, heartbeat_of(bot))
    assert await closed(given, HEARTBEAT_LOST, candidates) == []
    assert (await given.fresh(bot)).status is Status.ACTIVE


@pytest.mark.parametrize(
    "held",
    [
        "SELECT FROM usher.heartbeats WHERE meeting_id = :id FOR UPDATE",
        "SELECT FROM usher.bots WHERE meeting_id = :id FOR UPDATE",
        "SELECT FROM meetings WHERE id = :id FOR UPDATE",
    ],
    ids=["heartbeat", "bot", "meeting"],
)
async def test_a_sweep_skips_what_somebody_holds_and_takes_the_rest(given: Scenario, held: str) -> None:
    bots = [await given.a_bot().active().with_last_beat(ago=LIMIT_S + 1) for _ in range(3)]
    async with given.database.transaction() as connection:
        await connection.execute(text(held), {"id": bots[1].meeting_id})
        async with asyncio.timeout(2):
            assert sorted(await closed(given, HEARTBEAT_LOST, bots)) == [bots[0].meeting_id, bots[2].meeting_id]
    assert await closed(given, HEARTBEAT_LOST, bots) == [bots[1].meeting_id]


async def test_a_sweep_does_not_wait_for_a_reservation_of_the_same_user(given: Scenario) -> None:
    user = await given.a_user()
    bot = await given.a_bot(user).active().with_last_beat(ago=LIMIT_S + 1)
    async with given.database.transaction() as connection:
        await reserve(connection, a_request(user))
        async with asyncio.timeout(2):
            assert await closed(given, HEARTBEAT_LOST, [bot]) == [bot.meeting_id]


async def reports(given: Scenario, *, after_s: float, credit_s: float = 0) -> tuple[int, int]:
    """How many are late, of how many that report."""
    async with given.database.transaction() as connection:
        counted = await stale_rules.count_reports(connection, after_s=after_s, max_credit_s=credit_s)
    return counted.late, counted.reporting


async def test_only_bots_that_have_started_and_live_count_as_reporting(given: Scenario) -> None:
    await given.a_bot().waited(200)
    await given.a_bot().starting().with_last_beat(ago=91)
    await given.a_bot().active().with_last_beat(ago=89)
    await given.a_bot().active().with_last_beat(ago=200).completed()
    assert await reports(given, after_s=90) == (1, 2)


@pytest.mark.parametrize(("credit_s", "late"), [(0, 1), (9, 1), (11, 0)])
async def test_a_report_is_late_beyond_its_credit(given: Scenario, credit_s: float, late: int) -> None:
    await given.a_bot().active().with_last_beat(ago=100)
    await given.an_outage(lasted=50, ended_ago=10)
    assert await reports(given, after_s=90, credit_s=credit_s) == (late, 1)
