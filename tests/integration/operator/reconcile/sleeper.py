"""A reconciler in a process of its own that can be stopped in the middle of a sweep: `sleeper.py DATABASE_URL`.

It says `deciding` when it has chosen whom to end and reads their pods' last words, takes half a second over that, and
then says what was fenced off and how often it wrote to the API server.
"""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any, cast

from tests.fakes.epoch import an_epoch
from tests.fakes.kube import FakeKube
from tests.fakes.objects import a_pod
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import INSTALLATION, some_settings
from usher_models.db import bots
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_models.errors import NotLeading
from usher_operator.background.loop import Messages, repeat
from usher_operator.lifecycle.close import Closer, Ends
from usher_operator.lifecycle.commands import Commander
from usher_operator.lifecycle.evidence.collector import NoEvidence
from usher_operator.lifecycle.hold import Hold
from usher_operator.reconcile.reconciler import Reconciler
from usher_operator.reconcile.sweep import Acts, Memory
from usher_operator.watch.in_flight import InFlight
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
    settings = some_settings(leader_lease_s=LEASE_S, brownout_small_fleet_s=0)
    kube = SlowKube()
    lock = LeaderLock(database, lease_s=LEASE_S)
    closer = Closer(ends=Ends(database, fence=lock), kube=kube, evidence=NoEvidence())
    memory = Memory.empty(settings=settings, kube=kube, clock=lambda: 0.0)
    memory.brownout.leading_since = float("-inf")
    reconciler = Reconciler(
        settings=settings,
        database=database,
        kube=kube,
        acts=Acts(
            commander=Commander(database, RecordingPublisher()),
            ensurer=cast(Any, None),
            closer=closer,
            request_creator=cast(Any, None),
        ),
        memory=memory,
        epoch=an_epoch(database, settings=settings, kube=kube, hold=Hold(), clock=lambda: 0.0),
        lock=lock,
        in_flight=InFlight(),
        installation=INSTALLATION,
        clock=lambda: 0.0,
    )
    status_writer = StatusWriter(
        database=database, kube=kube, delay_s=0, installation=INSTALLATION, now=lambda: datetime.now(UTC), fence=lock
    )
    async with database.transaction() as connection:
        for bot in await bots.live_bots(connection):
            kube.pods[bot.request_namespace or "", bot.job_name] = a_pod(bot.job_name)
    messages = Messages(action="lease", postponed="Not renewed", failed="Not renewed")
    renewing = asyncio.create_task(repeat(lock.renew, messages, every_s=lock.renew_every_s))
    await reconciler.tick()
    try:
        await status_writer.write_changes()
    except NotLeading:
        say("status fenced")
    say(f"wrote {len(kube.writes)}")
    renewing.cancel()
    await lock.release()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
