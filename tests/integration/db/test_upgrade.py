"""Usher moves in beside what is there, says what is missing, and moves out without a trace."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text

from dev.stores.settings import load
from tests.databases import Server, admin_dsn
from tests.scenario import Scenario, User, a_meeting, a_request, speaker_of
from usher_models.db import checks, retention, upgrade, users
from usher_models.db.engine import Database
from usher_models.db.reservations import reserve
from usher_models.db.transitions import Report, report
from usher_models.db.vexa_tables import REQUIRED_COLUMNS
from usher_models.errors import CapReached, DatabaseForbids, DuplicateMeeting
from usher_models.platforms import resolve
from usher_models.states import Status

HERE = Path(__file__).parent
PG_DUMP = load().postgres_bin / "pg_dump"
NOTHING = ["Nothing to do: the database is up to date."]


def dump(url: str, *options: str) -> str:
    """What `pg_dump` says of a database, but for the random key that newer versions write into it."""
    program = str(PG_DUMP) if PG_DUMP.exists() else "pg_dump"
    written = subprocess.run([program, *options, admin_dsn(url)], capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in written.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def run_sql(url: str, script: str) -> None:
    with psycopg.connect(admin_dsn(url), autocommit=True) as connection:
        connection.execute(script.encode())


@pytest.fixture
async def empty(empty_database_url: str) -> AsyncIterator[Database]:
    """A database without any table."""
    database = Database.connect(empty_database_url)
    yield database
    await database.close()


@pytest.fixture(params=["seed", "newest"])
def vexa_url(request: pytest.FixtureRequest, empty_database_url: str) -> str:
    """The URL of a database that Vexa made and filled."""
    run_sql(empty_database_url, (HERE / f"vexa_{request.param}.sql").read_text())
    return empty_database_url


@pytest.fixture
async def vexa(vexa_url: str) -> AsyncIterator[Database]:
    """A database that Vexa made and filled."""
    database = Database.connect(vexa_url)
    yield database
    await database.close()


async def test_an_empty_database_gets_everything(empty: Database) -> None:
    done = await upgrade.upgrade(empty)
    assert [line.split()[-1] for line in done[:-1]] == ["users.", "api_tokens.", "meetings.", "meeting_sessions."]
    assert done[-1].startswith("Brought the schema usher from nothing to ")
    assert await checks.check(empty) == []
    bot = await Scenario(empty).a_bot().starting().active().completed()
    assert bot.status is Status.COMPLETED


async def test_a_second_upgrade_does_nothing(empty: Database, empty_database_url: str) -> None:
    await upgrade.upgrade(empty)
    before = dump(empty_database_url)
    assert await upgrade.upgrade(empty) == NOTHING
    assert dump(empty_database_url) == before


async def test_three_upgrades_at_once_do_it_once(empty_database_url: str) -> None:
    databases = [Database.connect(empty_database_url) for _ in range(3)]
    done = await asyncio.gather(*map(upgrade.upgrade, databases))
    assert sorted(map(len, done)) == [1, 1, 5]
    assert done.count(NOTHING) == 2
    assert await checks.check(databases[0]) == []
    for database in databases:
        await database.close()


async def test_adoption_alters_nothing_of_what_is_there(vexa: Database, vexa_url: str) -> None:
    before = dump(vexa_url, "--schema=public")
    done = await upgrade.upgrade(vexa)
    assert [line.startswith("Brought the schema usher") for line in done] == [True]
    assert dump(vexa_url, "--schema=public") == before
    assert await checks.check(vexa) == []


async def test_dropping_the_schema_takes_all_of_it_back(vexa: Database, vexa_url: str) -> None:
    before = dump(vexa_url)
    await upgrade.upgrade(vexa)
    assert dump(vexa_url) != before
    run_sql(vexa_url, "DROP SCHEMA usher CASCADE")
    assert dump(vexa_url) == before


async def test_a_life_on_an_adopted_database_leaves_only_rows(vexa: Database, vexa_url: str) -> None:
    before = dump(vexa_url, "--schema-only")
    await upgrade.upgrade(vexa)
    given = Scenario(vexa)
    old = await given.scalar("SELECT string_agg(m::text, '' ORDER BY id) FROM meetings m")
    bot = await given.a_bot().starting().active().stopping().completed()
    assert (
        await given.scalar(
            "SELECT string_agg(m::text, '' ORDER BY id) FROM meetings m WHERE id < :id", id=bot.meeting_id
        )
        == old
    )
    run_sql(vexa_url, "DROP SCHEMA usher CASCADE")
    assert dump(vexa_url, "--schema-only") == before


async def test_the_slots_of_an_adopted_users_live_meetings_are_held(vexa: Database) -> None:
    await upgrade.upgrade(vexa)
    given = Scenario(vexa)
    ada = User(id=1, email="ada@example.org", cap=0)
    held = await given.slots_held(ada)
    async with vexa.transaction() as connection:
        await users.add_user(connection, ada.email, max_concurrent_bots=held)
    with pytest.raises(CapReached, match="Maximum concurrent bots limit reached") as refusal:
        await given.a_bot(ada)
    assert refusal.value.used == held
    async with vexa.transaction() as connection:
        await users.add_user(connection, ada.email, max_concurrent_bots=held + 1)
    assert (await given.a_bot(ada)).status is Status.RESERVED


@pytest.mark.parametrize("vexa_url", ["newest"], indirect=True)
async def test_the_newest_databases_unique_index_is_respected(vexa: Database) -> None:
    await upgrade.upgrade(vexa)
    scheduled = resolve(platform="zoom", native_id="100000010")
    with pytest.raises(DuplicateMeeting, match="already has a live bot in this meeting"):
        async with vexa.at_once() as connection:
            await reserve(connection, a_request(User(id=1, email="", cap=12), meeting=scheduled))


async def test_an_adopted_database_is_described(vexa: Database) -> None:
    await upgrade.upgrade(vexa)
    legacy, *others = await checks.describe(vexa)
    (index,) = [line for line in others if "unique index" in line]
    newest = await Scenario(vexa).scalar("SELECT count(*) FROM meetings WHERE status = 'scheduled'") == 1
    assert legacy.startswith("7 live rows" if newest else "4 live rows")
    assert ("present" if newest else "absent") in index


async def test_the_check_of_an_empty_database_names_every_table(empty: Database) -> None:
    problems = await checks.check(empty)
    for table in REQUIRED_COLUMNS:
        assert f"The table {table} is missing: run `usher db upgrade`." in problems
    assert problems[-1].startswith("The schema usher is at nothing")
    assert len(problems) == len(REQUIRED_COLUMNS) + 1


@pytest.mark.own_database
async def test_the_check_names_every_missing_column(given: Scenario) -> None:
    for table, columns in REQUIRED_COLUMNS.items():
        for column in columns:
            await given.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO gone")
            assert await checks.check(given.database) == [
                f"The table {table} has no column {column}: it is no Vexa database."
            ]
            await given.execute(f"ALTER TABLE {table} RENAME COLUMN gone TO {column}")
    assert await checks.check(given.database) == []


@pytest.mark.own_database
async def test_the_check_names_a_missing_table(given: Scenario) -> None:
    await given.execute("ALTER TABLE api_tokens RENAME TO gone")
    assert await checks.check(given.database) == ["The table api_tokens is missing: run `usher db upgrade`."]


@pytest.mark.own_database
@pytest.mark.parametrize("lost", ["DROP SCHEMA usher CASCADE", "DELETE FROM usher.alembic_version"])
async def test_the_check_asks_for_the_upgrade(given: Scenario, lost: str) -> None:
    await given.execute(lost)
    (problem,) = await checks.check(given.database)
    assert problem.startswith("The schema usher is at nothing, not at ")
    assert problem.endswith("run `usher db upgrade`.")


@pytest.mark.own_database
async def test_an_older_version_leaves_the_schema_of_a_newer_one_as_it_is(given: Scenario) -> None:
    await given.execute("UPDATE usher.alembic_version SET version_num = '9999'")
    (said,) = await upgrade.upgrade(given.database)
    assert said == "Nothing to do: the schema usher is at 9999, which a newer version made and this one can use."
    assert await checks.check(given.database) == []
    assert await given.scalar("SELECT version_num FROM usher.alembic_version") == "9999"


@pytest.fixture
def guest(server: Server, own_database_url: str) -> Iterator[str]:
    """The URL of a migrated database for a role without any right in it."""
    name = f"{server.run}_guest"
    run_sql(own_database_url, f'CREATE ROLE "{name}" LOGIN')
    yield make_url(own_database_url).set(username=name).render_as_string(hide_password=False)
    run_sql(own_database_url, f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')


async def test_a_role_that_may_not_create_the_schema_is_told_so(guest: str, own_database_url: str) -> None:
    run_sql(own_database_url, "DROP SCHEMA usher CASCADE")
    database = Database.connect(guest)
    with pytest.raises(DatabaseForbids, match="lacks a privilege: permission denied for database"):
        await upgrade.upgrade(database)
    await database.close()
    assert "SCHEMA usher" not in dump(own_database_url, "--schema-only")


async def test_a_role_that_may_not_look_is_told_so(guest: str) -> None:
    database = Database.connect(guest)
    with pytest.raises(DatabaseForbids, match="permission denied for schema usher"):
        await checks.check(database)
    await database.close()


async def test_a_role_that_may_only_read_and_write_rows_is_enough_to_run(guest: str, own_database_url: str) -> None:
    role = make_url(guest).username
    run_sql(
        own_database_url,
        f'GRANT USAGE ON SCHEMA usher TO "{role}";'
        f' GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA usher TO "{role}";'
        f' GRANT SELECT, UPDATE ON users TO "{role}"; GRANT SELECT, INSERT, UPDATE ON meetings TO "{role}";'
        f' GRANT INSERT, SELECT ON meeting_sessions, users TO "{role}";'
        f' GRANT SELECT, INSERT, DELETE ON api_tokens TO "{role}";'
        f' GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{role}"',
    )
    database = Database.connect(guest)
    assert await checks.check(database) == []
    assert await upgrade.upgrade(database) == NOTHING
    bot = await Scenario(database).a_bot(meeting=a_meeting("teams")).starting()
    async with database.transaction() as connection:
        told = Report(connection_id=bot.connection_id, target=Status.FAILED, reason="x", speaker=speaker_of(bot))
        assert (await report(connection, told)).applied
        assert await connection.scalar(text("SELECT count(*) FROM usher.transitions")) == 3
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE usher.bots SET ended_at = now() - interval '1 year'"))
        assert await retention.delete_history(connection, keep_s=1, limit=10) == 1
    await database.close()
