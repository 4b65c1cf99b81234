"""A slot is held or refused, and a refusal leaves nothing behind."""

import pytest
from psycopg.errors import CheckViolation
from sqlalchemy import text

from tests.scenario import Scenario, User, a_meeting, a_request, move
from usher_models.db import bots
from usher_models.db.engine import Database
from usher_models.db.reservations import Request, Reservation, reserve
from usher_models.db.vexa_tables import ACTIVE_MEETING_INDEX
from usher_models.errors import CapReached, ConnectionTaken, DuplicateMeeting, UnknownUser, UsherError
from usher_models.platforms import resolve
from usher_models.states import LEGACY_LIVE, Source, Status


async def reserved(database: Database, request: Request) -> Reservation:
    async with database.transaction() as connection:
        return await reserve(connection, request)


async def refused(given: Scenario, request: Request) -> UsherError:
    """The refusal of `request`, which left no row in any table."""
    before = await given.everything()
    with pytest.raises(UsherError) as refusal:
        await reserved(given.database, request)
    assert await given.everything() == before
    return refusal.value


async def test_a_reservation_writes_all_its_rows(given: Scenario) -> None:
    user = await given.a_user(cap=1)
    held = await reserved(given.database, a_request(user, connection_id="c-1", meeting=a_meeting("teams")))
    assert held.created
    async with given.database.transaction() as connection:
        assert held.bot == await bots.bot_by_id(connection, held.bot.meeting_id)
    rows = {table: len(found) for table, found in (await given.everything()).items()}
    assert rows["meetings"] == rows["meeting_sessions"] == rows["usher.bots"] == 1
    assert rows["usher.heartbeats"] == rows["usher.transitions"] == 1
    assert await given.scalar("SELECT session_uid FROM meeting_sessions") == "c-1"


async def test_the_job_is_named_after_the_meeting(given: Scenario) -> None:
    bot = await given.a_bot()
    assert bot.job_name == f"bot-{bot.meeting_id}"
    assert await given.scalar("SELECT bot_container_id FROM meetings") == bot.job_name


async def test_the_same_connection_id_gets_the_same_reservation(given: Scenario) -> None:
    request = a_request(await given.a_user(cap=1))
    first = await reserved(given.database, request)
    before = await given.everything()
    again = await reserved(given.database, request)
    assert (again.bot, again.created) == (first.bot, False)
    assert await given.everything() == before


async def test_a_known_connection_id_is_answered_even_when_the_meeting_is_over(given: Scenario) -> None:
    user = await given.a_user(cap=1)
    bot = await given.a_bot(user, connection_id="c-1").completed()
    again = await reserved(given.database, a_request(user, connection_id="c-1"))
    assert (again.bot, again.created) == (bot, False)
    assert await given.slots_held(user) == 0


async def test_a_connection_id_of_somebody_else_gives_nothing_of_theirs(given: Scenario) -> None:
    await given.a_bot(connection_id="c-1")
    refusal = await refused(given, a_request(await given.a_user(), connection_id="c-1"))
    assert isinstance(refusal, ConnectionTaken)


async def test_an_unknown_user_is_refused(given: Scenario) -> None:
    nobody = User(id=4711, email="nobody@example.org", cap=1)
    assert isinstance(await refused(given, a_request(nobody)), UnknownUser)


async def test_a_cap_of_zero_allows_none(given: Scenario) -> None:
    refusal = await refused(given, a_request(await given.a_user(cap=0)))
    assert isinstance(refusal, CapReached)
    assert (refusal.limit, refusal.used) == (0, 0)


async def test_beyond_the_cap_no_row_stays_behind(given: Scenario) -> None:
    user = await given.a_user(cap=2)
    await given.a_bot(user)
    await given.a_bot(user).active()
    refusal = await refused(given, a_request(user))
    assert isinstance(refusal, CapReached)
    assert (refusal.limit, refusal.used) == (2, 2)


async def test_one_user_at_the_cap_hinders_no_other(given: Scenario) -> None:
    await given.a_bot(await given.a_user(cap=1))
    assert (await given.a_bot(await given.a_user(cap=1))).status is Status.RESERVED


@pytest.mark.parametrize("status", [Status.RESERVED, Status.STARTING, Status.ACTIVE, Status.STOPPING])
async def test_every_live_status_holds_the_slot(given: Scenario, status: Status) -> None:
    user = await given.a_user(cap=1)
    bot = given.a_bot(user)
    await (bot if status is Status.RESERVED else bot.moved(status))
    assert isinstance(await refused(given, a_request(user)), CapReached)


@pytest.mark.parametrize("target", [Status.COMPLETED, Status.FAILED])
async def test_the_slot_is_free_in_the_very_transaction_that_ends_the_meeting(given: Scenario, target: Status) -> None:
    user = await given.a_user(cap=1)
    bot = await given.a_bot(user).active()
    async with given.database.transaction() as connection:
        await move(connection, bot, target, source=Source.BOT, pod_uid=bot.pod_uid)
        held = await reserve(connection, a_request(user))
    assert held.created
    assert await given.slots_held(user) == 1


async def test_lowering_the_cap_stops_nobody_and_admits_nobody(given: Scenario) -> None:
    user = await given.a_user(cap=3)
    bots = [await given.a_bot(user).active() for _ in range(3)]
    await given.a_user(cap=1, email=user.email)
    assert [(await given.fresh(bot)).status for bot in bots] == [Status.ACTIVE] * 3
    refusal = await refused(given, a_request(user))
    assert isinstance(refusal, CapReached)
    assert (refusal.limit, refusal.used) == (1, 3)


async def test_raising_the_cap_admits_at_once(given: Scenario) -> None:
    user = await given.a_user(cap=0)
    await refused(given, a_request(user))
    await given.a_user(cap=1, email=user.email)
    assert (await reserved(given.database, a_request(user))).created


@pytest.mark.parametrize("status", [Status.RESERVED, Status.STARTING, Status.ACTIVE, Status.STOPPING])
async def test_a_second_bot_for_the_same_meeting_is_refused_with_the_first_ones_id(
    given: Scenario, status: Status
) -> None:
    user, meeting = await given.a_user(), a_meeting()
    making = given.a_bot(user, meeting=meeting)
    bot = await (making if status is Status.RESERVED else making.moved(status))
    refusal = await refused(given, a_request(user, meeting=meeting))
    assert isinstance(refusal, DuplicateMeeting)
    assert refusal.meeting_id == bot.meeting_id


@pytest.mark.parametrize("status", sorted(LEGACY_LIVE))
async def test_a_legacy_row_of_the_same_meeting_is_a_duplicate_too(given: Scenario, status: str) -> None:
    user, meeting = await given.a_user(), a_meeting()
    legacy = await given.a_legacy_meeting(user, status=status, meeting=meeting)
    refusal = await refused(given, a_request(user, meeting=meeting))
    assert isinstance(refusal, DuplicateMeeting)
    assert refusal.meeting_id == legacy


@pytest.mark.parametrize("status", sorted(LEGACY_LIVE))
async def test_a_legacy_live_row_counts_against_the_cap(given: Scenario, status: str) -> None:
    user = await given.a_user(cap=1)
    await given.a_legacy_meeting(user, status=status)
    assert isinstance(await refused(given, a_request(user)), CapReached)


@pytest.mark.parametrize("status", ["completed", "failed", "scheduled", "idle"])
async def test_a_legacy_row_that_runs_no_bot_holds_no_slot(given: Scenario, status: str) -> None:
    user = await given.a_user(cap=1)
    await given.a_legacy_meeting(user, status=status)
    assert (await reserved(given.database, a_request(user))).created


async def test_legacy_rows_are_never_written(given: Scenario) -> None:
    user = await given.a_user(cap=100)
    for status in sorted(LEGACY_LIVE | {"completed", "failed", "active", "stopping"}):
        await given.a_legacy_meeting(user, status=status)
    query = "SELECT string_agg(m::text || m.ctid || m.xmin, '' ORDER BY id) FROM meetings m WHERE data ? 'left'"
    before = await given.scalar(query)
    await given.a_bot(user).starting().active().stopping().completed()
    await given.a_bot(user).active().failed(by=Source.RECONCILER)
    assert await given.scalar(query) == before


async def test_the_same_meeting_is_no_duplicate_once_it_is_over(given: Scenario) -> None:
    user, meeting = await given.a_user(cap=1), a_meeting()
    await given.a_bot(user, meeting=meeting).active().completed()
    assert (await reserved(given.database, a_request(user, meeting=meeting))).created


async def test_two_users_may_send_a_bot_to_the_same_meeting(given: Scenario) -> None:
    meeting = a_meeting()
    await given.a_bot(meeting=meeting)
    assert (await given.a_bot(meeting=meeting)).status is Status.RESERVED


async def test_the_same_id_on_another_platform_is_another_meeting(given: Scenario) -> None:
    user = await given.a_user()
    await given.a_bot(user, meeting=resolve(platform="zoom", native_id="1234567890"))
    teams = resolve(platform="teams", native_id="1234567890")
    assert (await given.a_bot(user, meeting=teams)).platform == "teams"


@pytest.mark.own_database
async def test_the_newest_databases_index_refuses_a_duplicate_and_not_with_an_error(given: Scenario) -> None:
    user, meeting = await given.a_user(), a_meeting()
    # A status that holds no slot and is live for the index.
    await given.a_legacy_meeting(user, status="scheduled", meeting=meeting)
    refusal = await refused(given, a_request(user, meeting=meeting))
    assert isinstance(refusal, DuplicateMeeting)
    assert refusal.meeting_id is None


@pytest.mark.own_database
async def test_an_older_database_without_that_index_refuses_a_duplicate_too(given: Scenario) -> None:
    await given.execute(f"DROP INDEX {ACTIVE_MEETING_INDEX}")
    user, meeting = await given.a_user(cap=3), a_meeting()
    await reserved(given.database, a_request(user, meeting=meeting))
    with pytest.raises(DuplicateMeeting, match="already has a live bot in this meeting"):
        await reserved(given.database, a_request(user, meeting=meeting))


@pytest.mark.own_database
async def test_the_newest_databases_index_lets_a_meeting_be_repeated_after_its_end(given: Scenario) -> None:
    user, meeting = await given.a_user(cap=1), a_meeting()
    await given.a_bot(user, meeting=meeting).starting().active().stopping().failed()
    assert (await reserved(given.database, a_request(user, meeting=meeting))).created


@pytest.mark.own_database
async def test_any_other_broken_constraint_is_an_error_and_no_refusal(given: Scenario) -> None:
    await given.execute("ALTER TABLE meetings ADD CONSTRAINT odd CHECK (platform <> 'zoom')")
    user = await given.a_user()
    before = await given.everything()
    with pytest.raises(CheckViolation, match="odd"):
        await reserved(given.database, a_request(user))
    assert await given.everything() == before


async def test_what_the_request_says_is_kept_with_the_row(given: Scenario) -> None:
    bot = await given.a_bot(
        lobby_timeout_s=33,
        max_duration_s=44,
        config={"language": "de"},
        spec={"botName": "Ada"},
        request_namespace="bots",
        request_name="weekly",
        request_uid="u-1",
        request_generation=3,
    )
    assert (bot.lobby_timeout_s, bot.max_duration_s) == (33, 44)
    assert (bot.config, bot.spec) == ({"language": "de"}, {"botName": "Ada"})
    assert (bot.request_namespace, bot.request_name, bot.request_uid) == ("bots", "weekly", "u-1")
    assert bot.request_generation == 3


async def test_a_reservation_rolls_back_as_a_whole(given: Scenario) -> None:
    user = await given.a_user()
    before = await given.everything()

    async def crash() -> None:
        async with given.database.transaction() as connection:
            await reserve(connection, a_request(user))
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        await crash()
    assert await given.everything() == before


async def test_a_waiting_reservation_does_not_block_a_foreign_key_check_on_the_user(given: Scenario) -> None:
    user = await given.a_user()
    async with given.database.transaction() as holder:
        await reserve(holder, a_request(user))
        async with given.database.transaction() as other:
            await other.execute(text("SET LOCAL lock_timeout = '200ms'"))
            await other.execute(
                text("INSERT INTO api_tokens (token, user_id) VALUES ('t', :user_id)"), {"user_id": user.id}
            )
