"""What one process knows of its database, and the alarm that it raises when a reservation finds it behind.

A failover or a restore may take back the reservations of the last seconds. The reconciler notices at its next sweep;
until then a new meeting would get the id of one whose bot still runs, and could join it. So each reservation compares,
and the process that finds ids behind notes that the database went back before it says so.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import adoptions, epoch, reservations
from usher_models.db.engine import Database
from usher_models.db.reservations import Known, Request, Reservation
from usher_models.errors import DatabaseWentBack

EVIDENCE = "ids_behind"
# Higher ids may have been handed out, seen by nobody who looks now, and their Jobs and BotRequests be gone.
SKIPPED = 1000
# People may write labels and statuses. An id beyond this is not believed: it would leave no ids for new meetings.
MOST_ID = 2_000_000_000


class KnownIds:
    """One per process. What it was told of another installation's database changes nothing."""

    def __init__(self) -> None:
        self.known = reservations.NOTHING

    def note(self, meeting_id: int, *, installation: str | None = None) -> None:
        """Note an id that a meeting has, in the database of that installation if it was told."""
        known = self.known
        whose = installation or known.installation
        is_news = meeting_id > known.highest_id or whose != known.installation
        if is_news and known.installation in (None, whose):
            self.known = Known(installation=whose, highest_id=max(known.highest_id, meeting_id))

    async def reserve(self, connection: AsyncConnection, request: Request) -> Reservation:
        """Reserve, if the database is not behind. Raises what `reservations.reserve` does."""
        reservation = await reservations.reserve(connection, replace(request, known=self.known))
        if reservation.installation is not None:
            self.note(reservation.bot.meeting_id, installation=reservation.installation)
        return reservation

    @asynccontextmanager
    async def alarm(self, database: Database) -> AsyncIterator[None]:
        """Around reservations: notes in the database that it went back, and lets no id be given out twice."""
        try:
            yield
        except DatabaseWentBack as exc:
            if exc.is_news:
                await self._tell(database)
            raise

    async def _tell(self, database: Database) -> None:
        highest = min(self.known.highest_id + SKIPPED, MOST_ID)
        async with database.at_once() as connection:
            await epoch.begin_rewind(connection, [EVIDENCE])
            await adoptions.raise_ids(connection, highest=highest)
