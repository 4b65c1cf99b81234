"""A process to be killed: it ends a meeting, says how far it got, and hangs there until somebody kills it.

    python -m tests.integration.operator.webhooks.victim URL_OF_DATABASE CONNECTION_ID POINT

POINT is `committed` (the transition is, nothing was claimed), `claimed` (nothing was sent), or `sent` (the receiver has
it, nobody noted so).
"""

import asyncio
import sys

from tests.scenario import speaker_of
from usher_models.db import transitions
from usher_models.db.bots import bot_by_connection
from usher_models.db.engine import Database
from usher_models.db.transitions import Report
from usher_models.states import Status
from usher_operator.webhooks.guard import Guard
from usher_operator.webhooks.sender import Sender
from usher_operator.webhooks.transport import Transport


async def main(url: str, connection_id: str, point: str) -> None:
    """Get to that point."""
    database = Database.connect(url)
    async with database.at_once() as connection:
        bot = await bot_by_connection(connection, connection_id)
        assert bot is not None
        report = Report(connection_id=connection_id, target=Status.COMPLETED, reason="left", speaker=speaker_of(bot))
        assert (await transitions.report(connection, report)).applied
    if point in ("claimed", "sent"):
        transport = Transport(Guard(["127.0.0.1"]))
        sender = Sender(database=database, transport=transport)
        (claimed,) = await sender.claim()
        if point == "sent":
            assert claimed.url is not None
            assert (await transport.post(claimed.url, claimed.body, {"webhook-id": claimed.event_id})).delivered
    sys.stdout.write(f"{point}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
