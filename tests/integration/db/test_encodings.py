"""A database of another encoding than UTF-8 knows fewer characters: no word of a bot may keep a meeting from ending."""

from collections.abc import AsyncIterator

import pytest

from tests.databases import Server, open_database
from tests.scenario import Scenario, speaker_of
from usher_models.db import start_progress, transitions, upgrade
from usher_models.db.engine import Database
from usher_models.db.start_progress import StartProgress
from usher_models.db.transitions import Closing, Report
from usher_models.states import Source, Status

# The hostile role speaks LATIN1, which Postgres does not translate into each of these.
pytestmark = pytest.mark.direct
WORDS = "Café \u2615 \U0001f600 Ж"


@pytest.fixture(params=["LATIN1", "EUC_JP", "WIN1252"])
async def odd(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Database]:
    url = server.create(encoding=request.param)
    database = open_database(url, pool_size=4)
    await upgrade.upgrade(database)
    yield database
    await database.close()
    server.drop(url)


async def test_the_last_words_of_one_bot_keep_no_other_meeting_from_ending(odd: Database) -> None:
    given = Scenario(odd)
    bots = [await given.a_bot().active() for _ in range(2)]
    closings = [
        Closing(meeting_id=bot.meeting_id, reason="heartbeat_lost", message=WORDS, detail={"log": WORDS, "é": [WORDS]})
        for bot in bots
    ]
    async with odd.transaction() as connection:
        moved = await transitions.close_many(connection, closings, target=Status.FAILED, source=Source.RECONCILER)
    assert len(moved) == 2
    (line,) = [each for each in await given.story(bots[0]) if each.target == "failed"]
    assert line.detail["log"].startswith("Caf")


async def test_a_bot_may_say_anything_at_its_end(odd: Database) -> None:
    given = Scenario(odd)
    bot = await given.a_bot().active()
    told = Report(
        connection_id=bot.connection_id, target=Status.FAILED, reason="x", message=WORDS, detail={"detail": WORDS},
        speaker=speaker_of(bot),
    )  # fmt: skip
    async with odd.at_once() as connection:
        assert (await transitions.report(connection, told)).applied


async def test_what_keeps_a_pod_from_running_is_noted(odd: Database) -> None:
    given = Scenario(odd)
    bot = await given.a_bot()
    progress = StartProgress(meeting_id=bot.meeting_id, stage="pulling", reason="image_pull_retrying", message=WORDS)
    async with odd.at_once() as connection:
        assert await start_progress.note_progress(connection, [progress]) == {bot.meeting_id}
