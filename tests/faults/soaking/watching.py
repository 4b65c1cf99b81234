"""The checkers that run beside a soak, and those that must be content at its end."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import text

from tests.faults.harness import checkers
from tests.faults.harness.api import JOBS, PODS
from tests.faults.harness.beside import beside
from tests.faults.harness.installation import Installation
from usher_models.errors import DatabaseUnavailable
from usher_models.states import TERMINAL
from usher_operator.kube.job import CONNECTION_ANNOTATION

LOOK_EVERY_S = 1.0
REST_LOOK_EVERY_S = 1.5
SAY_EVERY_S = 15.0

_ENDS = text("""
SELECT m.platform_specific_id AS native_id, m.status, b.reason FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id
""")


@dataclass
class Watcher:
    """What was seen so far: `findings` once each, however often they were there."""

    installation: Installation
    findings: set[str] = field(default_factory=set)
    looks: int = 0
    events: Counter[str] = field(default_factory=Counter)
    """What the watches told of Jobs and pods."""
    most_live: int = 0
    jobs_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The UIDs of all Jobs there ever were, by connection id."""
    _now: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look on for as long as the context lasts. A checker or a watch that breaks or ends breaks the context off."""
        async with beside(
            checkers=self._look(), watch_of_jobs=self._watch("Jobs", JOBS), watch_of_pods=self._watch("pods", PODS)
        ):
            yield

    async def _look(self) -> None:
        while True:
            try:
                self.findings |= set(await checkers.always(self.installation.truth))
                self.looks += 1
            except DatabaseUnavailable:
                pass
            self.most_live = max(self.most_live, len(self.installation.swarm.live()))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _watch(self, what: str, path: str) -> None:
        """Note whose Jobs or pods there are at the same time."""
        async for event in self.installation.api.watch(path.format(self.installation.namespace)):
            metadata = event["object"]["metadata"]
            connection_id, uid = metadata["annotations"][CONNECTION_ANNOTATION], metadata["uid"]
            self.events[what] += 1
            if what == "Jobs":
                self.jobs_of[connection_id].add(uid)
            there = self._now[what, connection_id]
            if event["type"] == "DELETED" or "deletionTimestamp" in metadata:
                there.discard(uid)
            else:
                there.add(uid)
            if len(there) > 1:
                self.findings.add(f"I2: {len(there)} {what} of the connection {connection_id} at the same time")

    def remade(self) -> int:
        """How many Jobs were made again for a connection whose first one was gone."""
        return sum(len(uids) - 1 for uids in self.jobs_of.values())

    async def rest(self, *, within_s: float, say: Callable[[str], None]) -> tuple[float, list[str]]:
        """Seconds until nothing is under way and nothing is wrong, and what is wrong when that time is over."""
        loop = asyncio.get_running_loop()
        began = said_at = loop.time()
        while True:
            findings = await self._unrest()
            if not findings or loop.time() - began > within_s:
                return loop.time() - began, findings
            if loop.time() - said_at > SAY_EVERY_S:
                said_at = loop.time()
                say(f"not at rest after {said_at - began:.0f} s: {len(findings)} findings, such as {findings[0]}")
            await asyncio.sleep(REST_LOOK_EVERY_S)

    async def _unrest(self) -> list[str]:
        installation = self.installation
        fleet = checkers.Fleet(database=installation.truth, api=installation.api, namespace=installation.namespace)
        return await checkers.quiet(fleet) + await self._orphaned_pods()

    async def _orphaned_pods(self) -> list[str]:
        rows = await checkers.rows(self.installation.truth)
        live = {row["connection_id"] for row in rows if row["status"] not in TERMINAL}
        pods = await self.installation.api.items(PODS.format(self.installation.namespace))
        running = [pod for pod in pods if checkers.runs(pod)]
        owners = {pod["metadata"]["annotations"][CONNECTION_ANNOTATION] for pod in running}
        return [f"I4: a pod of {owner} runs without a live row" for owner in owners - live]


async def ends(installation: Installation) -> dict[str, tuple[str, str]]:
    """How each meeting ended, by its native id."""
    async with installation.truth.transaction() as connection:
        return {row.native_id: (row.status, row.reason) for row in await connection.execute(_ENDS)}


def counted(found: dict[str, tuple[str, str]]) -> Counter[str]:
    """How many ended how."""
    return Counter(f"{status}, {reason}" for status, reason in found.values())
