"""A server that takes bytes and never answers is away, and the next connection may find the one that took over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from sqlalchemy import make_url, text

from usher_models.db.engine import Database, in_one_exchange, waiting_for_answers
from usher_models.db.leader_lock import LeaderLock
from usher_models.db.patience import PatientConnection
from usher_models.errors import DatabaseUnavailable

pytestmark = pytest.mark.direct
SLOW = text("SELECT pg_sleep(:seconds)")


class Way:
    """Leads to the server. What was opened before `freeze` hangs from then on; what comes later passes."""

    def __init__(self, url: str) -> None:
        self._target = make_url(url)
        self._frozen: set[int] = set()
        self._links = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._links += 1
        number = self._links
        back, on = await asyncio.open_connection(self._target.host, self._target.port)
        self._writers += [writer, on]
        with suppress(OSError):
            await asyncio.gather(self._carry(number, reader, on), self._carry(number, back, writer))

    async def _carry(self, number: int, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if number in self._frozen:
                continue
            sink.write(data)
            await sink.drain()
        sink.close()

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with suppress(OSError):
                await writer.wait_closed()

    def freeze(self) -> None:
        self._frozen = set(range(self._links + 1))


@pytest.fixture
async def way(database_url: str) -> AsyncIterator[tuple[Way, Database]]:
    way = Way(database_url)
    server = await asyncio.start_server(way.lead, "127.0.0.1", 0)
    url = make_url(database_url).set(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    database = Database.connect(url.render_as_string(hide_password=False), pool_size=4)
    yield way, database
    await database.close()
    server.close()
    await way.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientConnection, "answer_timeout_s", 0.3)


async def test_a_server_that_hangs_is_given_up_and_the_next_use_connects_anew(way: tuple[Way, Database]) -> None:
    between, database = way
    await database.ping()
    between.freeze()
    with pytest.raises(DatabaseUnavailable, match=r"No answer from .*: no answer within 0\.3 s"):
        await database.ping()
    await database.ping()


async def test_an_exchange_of_many_statements_is_given_up_too(way: tuple[Way, Database]) -> None:
    between, database = way
    await database.ping()
    between.freeze()
    with pytest.raises(DatabaseUnavailable, match=r"no answer within 0\.3 s"):
        async with database.at_once() as connection:
            await in_one_exchange(connection, (SLOW, SLOW), {"seconds": 0})
    await database.ping()


async def test_a_leader_on_a_server_that_hangs_leads_no_more_and_may_lead_again(way: tuple[Way, Database]) -> None:
    between, database = way
    lock = LeaderLock(database)
    assert await lock.acquire()
    between.freeze()
    assert not await lock.acquire()
    await lock.release()


async def test_a_statement_that_may_last_is_waited_for(way: tuple[Way, Database]) -> None:
    _, database = way
    async with database.transaction() as connection, waiting_for_answers(connection, 5):
        await connection.execute(SLOW, {"seconds": 0.5})
    with pytest.raises(DatabaseUnavailable, match=r"no answer within 0\.3 s"):
        async with database.transaction() as connection:
            await connection.execute(SLOW, {"seconds": 0.5})
