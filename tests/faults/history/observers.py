"""The observers of one installation: they write down a run from its first request to the audit trail at its end."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.faults.harness.api import PODS
from tests.faults.harness.beside import beside
from tests.faults.harness.installation import FOLDER, Installation
from tests.faults.history.actors import trail, watches
from tests.faults.history.actors.reader import Reader
from tests.faults.history.actors.receiver import EVENTS, Receiver
from tests.faults.history.format import Outcome, What
from tests.faults.history.recorder import Recorder, outcome_of
from tests.faults.history.rules.webhooks import ANNOUNCES
from tests.faults.soaking.people import People

SETUP_S = 60.0
PAUSE_S = 0.5
# How long the last webhooks may take when nothing is broken any more.
DRAIN_S = 60.0
LAPSE_EVERY_S = 3.0
READ_S = 60.0


def file_of(run: str, number: int = 0) -> Path:
    """Where the history of a run's installation goes."""
    return FOLDER / "history" / f"{run}-{number}.jsonl"


@dataclass
class Observers:
    """Use `observing`; `finish` when the run is over."""

    recorder: Recorder
    installation: Installation
    receiver: Receiver
    reader: Reader

    async def finish(self) -> None:
        """Read the trail back, wait until each of its rows was announced, and look at everything once more."""
        found = await trail.read_trail(self.recorder, self.installation.truth)
        for meeting, steps in found.items():
            self.reader.know(meeting, steps[0][3])
        wanted = {
            (meeting, seq, kind)
            for meeting, steps in found.items()
            for seq, origin, to, user in steps
            for kind in EVENTS
            if user in self.reader.keys and origin != to and ANNOUNCES[kind] in (None, to)
        }
        await self._drain(wanted)
        await self.reader.read_all(within_s=READ_S)
        for pod in await self.installation.api.items(PODS.format(self.installation.namespace)):
            watches.see_pod(self.recorder, pod)

    async def _drain(self, wanted: set[tuple[int, int, str]]) -> None:
        """Wait for what is still to be announced; the checker finds what never is."""
        deadline, lapsed_at = time.monotonic() + DRAIN_S, -LAPSE_EVERY_S
        while wanted - self.receiver.heard and time.monotonic() < deadline:
            if time.monotonic() - lapsed_at > LAPSE_EVERY_S:
                await trail.lapse_claims(self.installation.truth)
                lapsed_at = time.monotonic()
            await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def observing(people: People, *, cap: int, seed: int) -> AsyncIterator[Observers]:
    """Observe an installation on behalf of its people, for as long as the context lasts."""
    recorder, installation = people.recorder, people.installation
    keys = {person.id: person.key for person in people.persons}
    for user in keys:
        recorder.see("setup", What.USER, user=user, cap=cap)
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(Receiver(recorder).receiving())
        reader = Reader(recorder, people.session, installation.api_url, keys, random.Random(f"reader {seed}"))
        people.promised = reader.know
        await asyncio.gather(*(_subscribe(recorder, reader, user, receiver.url(user)) for user in keys))
        api, namespace = installation.api, installation.namespace
        await stack.enter_async_context(
            beside(
                watch_of_pods=watches.watch_pods(recorder, api, namespace=namespace),
                watch_of_requests=watches.watch_requests(recorder, api, reader.know, namespace=namespace),
                reader=reader.read(),
            )
        )
        yield Observers(recorder, installation, receiver, reader)


async def _subscribe(recorder: Recorder, reader: Reader, user: int, url: str) -> None:
    """Have every change of a user's meetings announced. Raises TimeoutError."""
    wanted = {"webhook_url": url, "webhook_events": list(EVENTS)}
    async with asyncio.timeout(SETUP_S):
        while True:
            number = recorder.invoke(f"person {user}", What.SUBSCRIBE, user=user, events=EVENTS)
            outcome = outcome_of(await _put(reader, user, wanted))
            recorder.answer(number, outcome)
            if outcome is Outcome.OK:
                return
            await asyncio.sleep(PAUSE_S)


async def _put(reader: Reader, user: int, wanted: Mapping[str, object]) -> int:
    try:
        headers = {"X-API-Key": reader.keys[user]}
        async with reader.session.put(f"{reader.url}/user/webhook", json=wanted, headers=headers) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return 0
