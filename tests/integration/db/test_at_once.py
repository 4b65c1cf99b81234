"""A transaction in one exchange with the server: it is one, it says so when it is not, and its locks are short."""

import psycopg
import pytest
from sqlalchemy import text

from tests.scenario import Scenario, a_request
from usher_models.db.engine import in_one_exchange
from usher_models.db.reservations import reserve
from usher_models.db.transitions import Applied, Report, report_at_once
from usher_models.errors import CapReached, DatabaseUnavailable
from usher_models.states import Status

ADD = text("INSERT INTO users (email) VALUES (:email) RETURNING id")
COUNT = text("SELECT count(*) FROM users WHERE email = :email")
FAIL = text("SELECT 1 / 0 AS never")


async def reported(given: Scenario, *, job_name: str, **fields: object) -> Applied | None:
    bot = await given.a_bot()
    values = {"connection_id": bot.connection_id, "target": Status.STARTING, "reason": "told", "pod_uid": "p"}
    told = Report(**values | fields)  # type: ignore[arg-type]
    namespace = bot.request_namespace or ""
    async with given.database.at_once() as connection:
        applied = await report_at_once(connection, told, namespace=namespace, job_name=job_name or bot.job_name)
    assert (await given.fresh(bot)).status is (Status.STARTING if applied else Status.RESERVED)
    return applied


async def count(given: Scenario, email: str) -> int:
    async with given.database.reading() as connection:
        return int(await connection.scalar(COUNT, {"email": email}) or 0)


async def test_what_was_said_is_committed_when_the_answer_is_there(given: Scenario) -> None:
    async with given.database.at_once() as connection:
        (added,), (seen,) = await in_one_exchange(connection, (ADD, COUNT), {"email": "one@example.com"})
        assert added["id"]
        assert seen["count"] == 1
        assert await count(given, "one@example.com") == 1


async def test_all_of_it_is_undone_when_some_of_it_fails(given: Scenario) -> None:
    async with given.database.at_once() as connection:
        with pytest.raises(psycopg.DataError):
            await in_one_exchange(connection, (ADD, FAIL), {"email": "two@example.com"})
        # The connection is as good as before.
        ((seen,),) = await in_one_exchange(connection, (COUNT,), {"email": "two@example.com"})
        assert seen["count"] == 0
    assert await count(given, "two@example.com") == 0


async def test_a_lost_server_is_noticed_by_the_first_exchange_and_the_next_connects_anew(given: Scenario) -> None:
    values = {"email": "three@example.com"}

    async def lose_it() -> None:
        async with given.database.at_once() as connection:
            ((own,),) = await in_one_exchange(connection, (text("SELECT pg_backend_pid() AS pid"),), {})
            async with given.database.reading() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), own)
            await in_one_exchange(connection, (ADD,), values)

    with pytest.raises(DatabaseUnavailable):
        await lose_it()
    async with given.database.at_once() as connection:
        await in_one_exchange(connection, (ADD,), values)
    assert await count(given, "three@example.com") == 1


async def test_a_reservation_at_once_lets_go_of_the_users_row_with_its_answer(given: Scenario) -> None:
    user = await given.a_user(cap=2)
    async with given.database.at_once() as first:
        await reserve(first, a_request(user))
        async with given.database.at_once() as second:
            await reserve(second, a_request(user))
            with pytest.raises(CapReached):
                await reserve(second, a_request(user))


async def test_a_report_of_the_bots_own_job_moves_it_and_shows_it_as_it_is_then(given: Scenario) -> None:
    applied = await reported(given, job_name="")
    assert applied is not None
    assert (applied.applied, applied.bot.status, applied.bot.pod_uid) == (True, Status.STARTING, "p")


async def test_a_report_of_another_job_writes_nothing(given: Scenario) -> None:
    assert await reported(given, job_name="bot-of-somebody-else") is None


async def test_a_report_that_is_no_legal_move_writes_nothing(given: Scenario) -> None:
    assert await reported(given, job_name="", target=Status.RESERVED) is None


async def test_an_event_that_was_told_already_writes_nothing(given: Scenario) -> None:
    bot = await given.a_bot()
    namespace, job_name = bot.request_namespace or "", bot.job_name
    for target, moves in ((Status.STARTING, True), (Status.ACTIVE, False)):
        told = Report(
            connection_id=bot.connection_id, target=target, reason="told", pod_uid="p", event_id="the same for both"
        )
        async with given.database.at_once() as connection:
            applied = await report_at_once(connection, told, namespace=namespace, job_name=job_name)
        assert (applied is not None) is moves
    assert (await given.fresh(bot)).status is Status.STARTING


@pytest.mark.own_database
async def test_nobody_is_told_of_what_was_not_committed_in_the_end(given: Scenario) -> None:
    bot, user = await given.a_bot(), await given.a_user()
    told = Report(connection_id=bot.connection_id, target=Status.STARTING, reason="told", pod_uid="p")
    await given.break_commits("usher.bots")
    with pytest.raises(DatabaseUnavailable):
        async with given.database.at_once() as connection:
            await report_at_once(connection, told, namespace=bot.request_namespace or "", job_name=bot.job_name)
    with pytest.raises(DatabaseUnavailable):
        async with given.database.at_once() as connection:
            await reserve(connection, a_request(user))
    assert (await given.fresh(bot)).status is Status.RESERVED
    assert await given.scalar("SELECT count(*) FROM meetings") == 1
