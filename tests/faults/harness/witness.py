"""What the API server shows of a namespace, as it comes: Jobs and Events, seen without asking Usher for anything."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.faults.harness.api import JOBS, Api, Json
from tests.faults.harness.beside import beside

EVENTS = "/api/v1/namespaces/{}/events"


@dataclass
class Witness:
    """Remembers every Job and Event that it saw, also when it is deleted later."""

    api: Api
    namespace: str
    jobs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The uids of a BotRequest's Jobs, by the uid of the BotRequest."""
    first_job_at: dict[str, float] = field(default_factory=dict)
    """When the first Job of a BotRequest was seen (monotonic), by the name of the BotRequest."""
    events: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """The uid of the BotRequest, the reason and the count, by the uid of the Event."""
    seen: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator["Witness"]:
        """For as long as the context lasts."""
        async with beside(watch_of_the_jobs=self._watch_jobs(), watch_of_the_events=self._watch_events()):
            yield self

    def doubled_jobs(self) -> int:
        """BotRequests for which more than one Job was ever created."""
        return sum(len(uids) > 1 for uids in self.jobs.values())

    def doubled_events(self) -> int:
        """Events of a cause beyond the first: of one BotRequest with one reason."""
        causes: Counter[tuple[str, str]] = Counter()
        for uid, reason, count in self.events.values():
            causes[uid, reason] += count
        return sum(count - 1 for count in causes.values())

    async def first_job(self, names: set[str], *, within_s: float) -> float:
        """When the first Job of one of those BotRequests was seen; infinite if none was in time.

        `names` may grow meanwhile.
        """
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            self.seen.clear()
            found = [self.first_job_at[name] for name in names if name in self.first_job_at]
            if found:
                return min(found)
            try:
                async with asyncio.timeout(0.2):
                    await self.seen.wait()
            except TimeoutError:
                continue
        return float("inf")

    async def _watch_jobs(self) -> None:
        async for event in self.api.watch(JOBS.format(self.namespace)):
            self._note_job(event["object"]["metadata"])

    def _note_job(self, metadata: Json) -> None:
        for owner in metadata.get("ownerReferences") or []:
            self.jobs[owner["uid"]].add(metadata["uid"])
            self.first_job_at.setdefault(owner["name"], time.monotonic())
            self.seen.set()

    async def _watch_events(self) -> None:
        async for event in self.api.watch(EVENTS.format(self.namespace)):
            body = event["object"]
            if (body.get("source") or {}).get("component") == "usher":
                about = body["involvedObject"].get("uid", "")
                self.events[body["metadata"]["uid"]] = (about, body["reason"], body.get("count") or 1)
