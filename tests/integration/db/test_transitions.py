"""Each move works from where it is legal, changes nothing from anywhere else, and is noted exactly once."""

import itertools

import pytest

from tests.scenario import STRANGER, BotInTheMaking, Scenario, a_request, move, speaker_of
from usher_models.db import transitions
from usher_models.db.bots import Bot
from usher_models.db.reservations import reserve
from usher_models.db.transitions import Applied, Closing, Report, report
from usher_models.errors import AnotherPodSpeaks, CallbackRejected, IllegalMove, MeetingOver, UnknownConnection
from usher_models.states import LIVE, TERMINAL, Source, Status, is_legal

PRODUCT = list(itertools.product(Status, Status, Source))
LEGAL = [case for case in PRODUCT if is_legal(case[0], case[1], source=case[2])]
ILLEGAL = [case for case in PRODUCT if case not in LEGAL]

# A bot's late `started` is no move; it is proven on its own below.
REPORTS = [case for case in ILLEGAL if case[2] is Source.BOT and case[1] is not Status.RESERVED]
WRITES = [case for case in ILLEGAL if case[2] is not Source.BOT]


def bot_in(given: Scenario, status: Status) -> BotInTheMaking:
    making = given.a_bot()
    return making if status is Status.RESERVED else making.moved(status)


def told(
    bot: Bot, target: Status, *, pod_uid: str | None = None, event_id: str | None = None, message: str | None = None
) -> Report:
    speaker = speaker_of(bot, pod_uid=pod_uid)
    return Report(
        connection_id=bot.connection_id,
        target=target,
        reason="told",
        speaker=speaker,
        event_id=event_id,
        message=message,
    )


async def reported(given: Scenario, what: Report) -> Applied:
    async with given.database.at_once() as connection:
        return await report(connection, what)


async def refused(given: Scenario, what: Report) -> CallbackRejected:
    """The refusal of a report, which changed nothing."""
    before = await given.everything()
    with pytest.raises(CallbackRejected) as refusal:
        await reported(given, what)
    assert await given.everything() == before
    return refusal.value


def test_the_product_is_covered() -> None:
    assert len(LEGAL) == 44
    assert len(LEGAL) + len(ILLEGAL) == len(Status) ** 2 * len(Source)


@pytest.mark.parametrize(("origin", "target", "source"), LEGAL)
async def test_a_legal_move_moves_and_is_noted_once(
    given: Scenario, origin: Status, target: Status, source: Source
) -> None:
    bot = await bot_in(given, origin)
    before = await given.story(bot)
    async with given.database.transaction() as connection:
        assert await move(connection, bot, target, source=source, reason="why")
    after = await given.story(bot)
    last = after[-1]
    assert after[:-1] == before
    assert (last.origin, last.target, last.source, last.reason) == (origin, target, source, "why")
    assert [line.seq for line in after] == list(range(1, len(after) + 1))
    now = await given.fresh(bot)
    assert (now.status, now.reason) == (target, "why")
    assert now.revision == bot.revision + 1
    assert (now.ended_at is not None) == (target in TERMINAL)
    assert await given.scalar("SELECT count(*) FROM usher.heartbeats") == (target not in TERMINAL)


@pytest.mark.parametrize(("origin", "target", "source"), WRITES)
async def test_an_illegal_write_of_others_changes_nothing(
    given: Scenario, origin: Status, target: Status, source: Source
) -> None:
    bot = await bot_in(given, origin)
    before = await given.everything()
    async with given.database.transaction() as connection:
        assert not await move(connection, bot, target, source=source)
    assert await given.everything() == before


@pytest.mark.parametrize(("origin", "target", "source"), REPORTS)
async def test_an_illegal_report_changes_nothing(
    given: Scenario, origin: Status, target: Status, source: Source
) -> None:
    bot = await bot_in(given, origin)
    before = await given.everything()
    what = told(bot, target)
    if origin in TERMINAL and target not in TERMINAL:
        assert isinstance(await refused(given, what), MeetingOver)
    elif origin in LIVE and target not in (origin, Status.STARTING):
        assert isinstance(await refused(given, what), IllegalMove)
    else:
        assert not (await reported(given, what)).applied
    assert await given.everything() == before


@pytest.mark.parametrize("status", sorted(TERMINAL))
@pytest.mark.parametrize("target", sorted(LIVE))
async def test_terminal_is_final_for_the_bot(given: Scenario, status: Status, target: Status) -> None:
    bot = await given.a_bot().active().moved(status)
    refusal = await refused(given, told(bot, target))
    assert isinstance(refusal, MeetingOver)
    assert (refusal.meeting_id, refusal.status) == (bot.meeting_id, status)


async def test_terminal_is_final_for_everybody_else(given: Scenario) -> None:
    bot = await given.a_bot().active().completed()
    before = await given.everything()
    async with given.database.transaction() as connection:
        for source, target in itertools.product(set(Source) - {Source.BOT}, TERMINAL):
            assert not await move(connection, bot, target, source=source)
    assert await given.everything() == before


async def test_the_times_of_a_life_are_the_databases(given: Scenario) -> None:
    bot = await given.a_bot().waited(50).starting().waited(40).active().waited(30).stopping().waited(20).completed()
    query = "SELECT extract(epoch FROM now() - {})::int FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id"
    ages = [
        await given.scalar(query.format(column))
        for column in ("b.reserved_at", "b.started_at", "b.joined_at", "b.ended_at", "b.status_changed_at")
    ]
    assert ages == [140, 90, 50, 0, 0]
    naive = "(m.{} AT TIME ZONE 'utc')"
    assert await given.scalar(query.format(naive.format("start_time"))) == 90
    assert await given.scalar(query.format(naive.format("end_time"))) == 0
    assert bot.stage is None


@pytest.mark.parametrize("status", [Status.STARTING, Status.ACTIVE, Status.STOPPING, Status.COMPLETED, Status.FAILED])
async def test_a_repeat_with_the_same_event_id_changes_nothing(given: Scenario, status: Status) -> None:
    bot = await given.a_bot()
    what = told(bot, status, pod_uid="pod-1", event_id="event-1")
    assert (await reported(given, what)).applied
    before = await given.everything()
    again = await reported(given, what)
    assert (again.applied, again.bot.status) == (False, status)
    assert await given.everything() == before


@pytest.mark.parametrize("status", [Status.STARTING, Status.ACTIVE, Status.STOPPING, Status.COMPLETED, Status.FAILED])
async def test_a_repeat_with_the_same_status_changes_nothing(given: Scenario, status: Status) -> None:
    bot = await given.a_bot().moved(status)
    before = await given.everything()
    again = await reported(given, told(bot, status, event_id="another"))
    assert (again.applied, again.bot.status) == (False, status)
    assert await given.everything() == before


async def test_the_event_id_of_another_meeting_hinders_nobody(given: Scenario) -> None:
    first, second = await given.a_bot(), await given.a_bot()
    for bot in (first, second):
        applied = await reported(given, told(bot, Status.STARTING, pod_uid="pod-1", event_id="1"))
        assert (applied.applied, applied.bot.status) == (True, Status.STARTING)


async def test_a_repeated_event_after_others_changes_nothing(given: Scenario) -> None:
    bot = await given.a_bot()
    leaving = told(bot, Status.STOPPING, pod_uid="pod-1", event_id="leaving")
    await reported(given, leaving)
    await reported(given, told(bot, Status.COMPLETED, pod_uid="pod-1", event_id="over"))
    assert isinstance(await refused(given, leaving), MeetingOver)


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.STOPPING])
async def test_a_late_started_is_noted_and_moves_nothing(given: Scenario, status: Status) -> None:
    bot = await given.a_bot().moved(status)
    late = await reported(given, told(bot, Status.STARTING, event_id="late"))
    assert (late.applied, late.bot.status) == (False, status)
    last = (await given.story(bot))[-1]
    assert (last.origin, last.target, last.reason) == (status, status, "late_started")
    assert last.seq == 3
    before = await given.everything()
    assert not (await reported(given, told(bot, Status.STARTING, event_id="late"))).applied
    assert await given.everything() == before
    await reported(given, told(bot, Status.COMPLETED, event_id="over"))
    assert [line.seq for line in await given.story(bot)] == [1, 2, 3, 4]


async def test_the_first_pod_that_speaks_is_the_one(given: Scenario) -> None:
    bot = await given.a_bot()
    assert bot.pod_uid is None
    applied = await reported(given, told(bot, Status.STARTING, pod_uid="pod-1"))
    assert applied.bot.pod_uid == "pod-1"


@pytest.mark.parametrize("target", [Status.STARTING, Status.ACTIVE, Status.STOPPING, Status.COMPLETED, Status.FAILED])
async def test_another_pod_is_refused(given: Scenario, target: Status) -> None:
    bot = await given.a_bot(pod_uid="pod-1").starting()
    assert isinstance(await refused(given, told(bot, target, pod_uid="pod-2")), AnotherPodSpeaks)


async def test_an_unknown_connection_is_refused(given: Scenario) -> None:
    nobody = Report(connection_id="nobody", target=Status.STARTING, reason="started", speaker=STRANGER)
    refusal = await refused(given, nobody)
    assert isinstance(refusal, UnknownConnection)
    assert "nobody" in str(refusal)


@pytest.mark.parametrize("first", sorted(TERMINAL))
@pytest.mark.parametrize("again", sorted(TERMINAL))
async def test_a_bot_that_repeats_its_exit_hears_the_same(given: Scenario, first: Status, again: Status) -> None:
    bot = await given.a_bot().active().moved(first)
    before = await given.everything()
    answer = await reported(given, told(bot, again))
    assert (answer.applied, answer.bot.status) == (False, first)
    assert await given.everything() == before


@pytest.mark.parametrize("source", [Source.RECONCILER, Source.EVIDENCE])
@pytest.mark.parametrize("target", sorted(TERMINAL))
async def test_a_reaped_bot_that_exits_hears_that_it_is_over(given: Scenario, source: Source, target: Status) -> None:
    bot = await given.a_bot().active().failed(by=source)
    assert isinstance(await refused(given, told(bot, target)), MeetingOver)


async def test_a_report_is_a_sign_of_life(given: Scenario) -> None:
    await given.a_bot().starting().with_last_beat(ago=500).active()
    assert await given.scalar("SELECT now() - at < '2 s' FROM usher.heartbeats")


async def test_what_others_write_is_no_sign_of_life(given: Scenario) -> None:
    bot = await given.a_bot().active().with_last_beat(ago=500)
    async with given.database.transaction() as connection:
        await move(connection, bot, Status.COMPLETED, source=Source.API)
    assert await given.scalar("SELECT now() - at > '499 s' FROM usher.heartbeats")


async def test_the_last_words_stay_with_the_transition(given: Scenario) -> None:
    bot = await given.a_bot().active()
    detail = {"exit_code": 137, "termination_message": "out of memory: 'ø' \"quoted\" : ::jsonb %s"}
    closing = Closing(meeting_id=bot.meeting_id, reason="oom_killed", message="Out of memory.", detail=detail)
    async with given.database.transaction() as connection:
        (moved,) = await transitions.close_many(connection, [closing], target=Status.FAILED, source=Source.EVIDENCE)
    assert (moved.meeting_id, moved.origin, moved.reason) == (bot.meeting_id, Status.ACTIVE, "oom_killed")
    assert (moved.job_name, moved.namespace) == (bot.job_name, bot.request_namespace)
    assert (await given.story(bot))[-1].detail == detail
    assert (await given.fresh(bot)).message == "Out of memory."


async def test_many_are_closed_each_with_its_own_reason(given: Scenario) -> None:
    bots = [await given.a_bot().active() for _ in range(3)]
    over = await given.a_bot().active().completed()
    closings = [Closing(meeting_id=bot.meeting_id, reason=f"reason_{n}") for n, bot in enumerate([*bots, over])]
    async with given.database.transaction() as connection:
        moved = await transitions.close_many(connection, closings, target=Status.FAILED, source=Source.EVIDENCE)
    assert {one.meeting_id: one.reason for one in moved} == {
        bot.meeting_id: f"reason_{n}" for n, bot in enumerate(bots)
    }
    assert (await given.fresh(over)).status is Status.COMPLETED


async def test_closing_none_asks_nothing(given: Scenario) -> None:
    async with given.database.transaction() as connection:
        assert await transitions.close_many(connection, [], target=Status.FAILED, source=Source.RECONCILER) == []


async def test_a_meeting_that_usher_does_not_own_cannot_be_moved(given: Scenario) -> None:
    legacy = await given.a_legacy_meeting(await given.a_user(), status="active")
    before = await given.everything()
    closing = Closing(meeting_id=legacy, reason="heartbeat_lost")
    async with given.database.transaction() as connection:
        assert not await transitions.close_many(connection, [closing], target=Status.FAILED, source=Source.RECONCILER)
    assert await given.everything() == before


async def test_a_meeting_moves_and_is_noted_in_one_transaction_or_not_at_all(given: Scenario) -> None:
    user = await given.a_user()
    before = await given.everything()

    async def crash() -> None:
        async with given.database.transaction() as connection:
            held = await reserve(connection, a_request(user, connection_id="c-1"))
            assert held.created
            await report(connection, told(held.bot, Status.FAILED))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await crash()
    assert await given.everything() == before
