"""BotRequests of one database's users, and what became of them: the Jobs made for them, and what they show."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import text

from tests.load.bench.harness import REQUESTS, Harness
from usher_models.db.engine import Database

_CREATED = text("""
SELECT request_name, extract(epoch FROM job_created_at) AS at FROM usher.bots
WHERE request_name LIKE :prefix AND job_created_at IS NOT NULL
""")
_COUNT = text("SELECT count(*) FROM usher.bots WHERE request_name LIKE :prefix AND job_created_at IS NOT NULL")
PATIENCE_S = 240.0
# The pods of BotRequests of that name run for ever, as the bots of a long meeting do.
LONG = "long"

_meetings = itertools.count(600_000_000)


class Bench:
    """One database and its users, and BotRequests of theirs."""

    def __init__(self, harness: Harness, database: Database, users: list[int]) -> None:
        self.harness, self.database, self.users = harness, database, users
        # Made once: each has a TLS context of its own, which reads the certificates.
        self._api = harness.api

    def requests(self, prefix: str, due: dict[str, float] | None = None) -> Iterator[bytes]:
        """BotRequests to create, named with the prefix; `due` learns when each was taken."""
        for number in itertools.count():
            name = f"{prefix}-{number}"
            if due is not None:
                due[name] = time.time()
            yield self._request(name, long=prefix == LONG)

    def _request(self, name: str, *, long: bool) -> bytes:
        number = next(_meetings)
        spec: dict[str, Any] = {
            "userId": self.users[number % len(self.users)],
            "platform": "zoom",
            "nativeMeetingId": str(number),
        }
        if long:
            spec["nodeSelector"] = {"life": "long"}
        body = {"apiVersion": "usher.dev/v1alpha1", "kind": "BotRequest", "metadata": {"name": name}, "spec": spec}
        return self._api.request("POST", REQUESTS, json.dumps(body).encode())

    async def created(self, prefix: str) -> dict[str, float]:
        """When each Job was created (UNIX seconds), by the name of its BotRequest."""
        async with self.database.transaction() as connection:
            found = await connection.execute(_CREATED, {"prefix": f"{prefix}-%"})
            return {row.request_name: float(row.at) for row in found}

    async def count_created(self, prefix: str) -> int:
        """How many there are: thousands of rows, again and again, would be a load of their own."""
        async with self.database.reading() as connection:
            return int(await connection.scalar(_COUNT, {"prefix": f"{prefix}-%"}) or 0)

    async def names(self, prefix: str) -> set[str]:
        """The names of the BotRequests with that prefix and of their Jobs."""
        query = text("SELECT request_name, job_name FROM usher.bots WHERE request_name LIKE :prefix")
        async with self.database.transaction() as connection:
            found = (await connection.execute(query, {"prefix": f"{prefix}-%"})).all()
        return {row.request_name for row in found} | {row.job_name for row in found}

    async def all_active(self, *, within_s: float) -> None:
        """Wait until every bot is in its meeting."""
        bots = "SELECT count(*) FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id"
        await self._none_left(f"{bots} WHERE m.status <> 'active'", within_s=within_s)

    async def all_shown(self, *, within_s: float) -> None:
        """Wait until every BotRequest shows its row as it is; what does not is left so."""
        await self._none_left("SELECT count(*) FROM usher.bots WHERE revision > written_revision", within_s=within_s)

    async def all_over(self, prefix: str, *, within_s: float) -> None:
        """Wait until every bot has ended and its BotRequest shows it; what has not is counted as it is."""
        ended = "ended_at IS NOT NULL AND revision = written_revision"
        left = f"SELECT count(*) FROM usher.bots WHERE request_name LIKE :prefix AND NOT ({ended})"
        await self._none_left(left, within_s=within_s, prefix=f"{prefix}-%")

    async def _none_left(self, query: str, *, within_s: float, **values: str) -> None:
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            async with self.database.reading() as connection:
                if not await connection.scalar(text(query), values):
                    return
            await asyncio.sleep(0.5)

    async def all_created(self, prefix: str, count: int) -> dict[str, float]:
        """The same once there are `count`, or when patience is over."""
        until = time.monotonic() + PATIENCE_S
        while await self.count_created(prefix) < count and time.monotonic() < until:
            await asyncio.sleep(0.25)
        return await self.created(prefix)
