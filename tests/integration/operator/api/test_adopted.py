"""A database that Vexa made and filled, behind Usher's API: every old row is there, with the old keys."""

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from tests.databases import admin_dsn, open_database
from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import some_settings
from tests.integration.operator.api.client import ADMIN_KEY, Client
from usher_models.db import upgrade
from usher_operator.processes.serve import public_api

SCRIPTS = Path(__file__).parents[2] / "db"
# The key that the scripts give to user 1, in plain text as Vexa stores it.
OLD_KEY = "token-1"


@pytest.fixture(params=["seed", "newest"])
def adopted_url(request: pytest.FixtureRequest, empty_database_url: str) -> str:
    """The URL of a database of the oldest and of the newest Vexa."""
    with psycopg.connect(admin_dsn(empty_database_url), autocommit=True) as connection:
        connection.execute((SCRIPTS / f"vexa_{request.param}.sql").read_bytes())
    return empty_database_url


@pytest.fixture
async def adopted(adopted_url: str) -> AsyncIterator[Client]:
    """User 1 of that database, with the key from before."""
    database = open_database(adopted_url)
    await upgrade.upgrade(database)
    settings = some_settings(admin_api_key=SecretStr(ADMIN_KEY))
    app = public_api(settings, database=database, publisher=RecordingPublisher(), kube=FakeKube())
    async with TestClient(TestServer(app)) as http:
        yield Client(http, {"X-API-Key": OLD_KEY})
    await database.close()


async def test_every_old_row_is_readable_with_the_old_key(adopted: Client, adopted_url: str) -> None:
    with psycopg.connect(admin_dsn(adopted_url)) as connection:
        rows = connection.execute("SELECT id, status FROM meetings WHERE user_id = 1 ORDER BY id").fetchall()
    assert len(rows) >= 6
    listed = await adopted.get("/meetings", limit=100)
    assert listed.code == 200
    assert {(one["id"], one["status"]) for one in listed.body["meetings"]} == set(rows)
    for meeting_id, status in rows:
        one = await adopted.get(f"/meetings/{meeting_id}")
        assert (one.code, one.body["status"]) == (200, status)
        assert (await adopted.get(f"/meetings/{meeting_id}/transitions")).code == 200
        assert (await adopted.get(f"/meetings/{meeting_id}/sessions")).code == 200


async def test_live_rows_from_before_hold_slots_and_block_their_meetings(adopted: Client) -> None:
    use = (await adopted.get("/user")).body
    assert use["used"] > 0
    live = next(one for one in (await adopted.get("/meetings")).body["meetings"] if one["status"] == "active")
    again = await adopted.ask(platform=live["platform"], native_meeting_id=live["native_meeting_id"])
    assert again.code == 409
