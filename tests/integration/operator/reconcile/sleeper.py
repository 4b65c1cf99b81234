"""A reconciler in a process of its own that can be stopped in the middle of a sweep: `sleeper.py DATABASE_URL`.

It says `deciding` when it has chosen whom to end and reads their pods' last words, takes half a second over that, and
then says what was fenced off and how often it wrote to the API server.
"""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any, cast

from tests.fakes.kube import FakeKube
from tests.fakes.objects import a_pod
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import INSTALLATION, some_settings
from usher_models.db import bots
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_models.errors import NotLeading
from usher_operator.lifecycle.close import Closer
from usher_operator.lifecycle.commands import Commander
from usher_operator.reconcile.reconciler import Reconciler
from usher_operator.reconcile.silence.brownout import Brownout
from usher_operator.watch.status_writer import StatusWriter

LEASE_S = 1.0
THINKS_S = 0.5


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


class SlowKube(FakeKube):
    """Reading a pod's Events takes its time, and so does the way of a status."""

    async def pod_events(self, namespace: str, pod_name: str) -> list[dict[str, Any]]:
        say("deciding")
        await asyncio.sleep(THINKS_S)
        return await super().pod_events(namespace, pod_name)


async def main(url: str) -> None:
    database = Database.connect(url, pool_size=4, application_name="usher-sleeper")
    settings = some_settings(leader_lease_s=LEASE_S)
    kube = SlowKube()
    flight = LeaderLock(database, lease_s=LEASE_S)
    closer = Closer(database=database, kube=kube, fence=flight)
    reconciler = Reconciler(
        settings=settings,
        database=database,
        kube=kube,
        commander=Commander(database, RecordingPublisher()),
        ensurer=cast(Any, None),
        closer=closer,
        flight=flight,
        brownout=Brownout(settings=settings, clock=lambda: 0.0, leading_since=float("-inf")),
    )
    status_writer = StatusWriter(
        database=database, kube=kube, delay_s=0, installation=INSTALLATION, now=lambda: datetime.now(UTC), fence=flight
    )
    async with database.transaction() as connection:
        for bot in await bots.live_bots(connection):
            kube.pods[bot.request_namespace or "", bot.job_name] = a_pod(bot.job_name)
    keeping = asyncio.create_task(flight.keep())
    await reconciler.tick()
    try:
        await status_writer.write_changes()
    except NotLeading:
        say("status fenced")
    say(f"wrote {len(kube.writes)}")
    keeping.cancel()
    await flight.release()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
