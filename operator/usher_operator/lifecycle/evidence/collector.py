"""Collecting the evidence of meetings that failed: soon after each end, and in time where a Job is about to go.

The failure is committed before, so nothing here can delay or prevent an end. A Job's deletion waits for its evidence
for a few seconds at most, and not again for a while if they were not enough. Nothing is asked about a bot that ended
well.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, Protocol

from usher_models.db import bots as rows
from usher_models.db import evidence
from usher_models.db.bots import BotSummary, Transition
from usher_models.db.engine import Database
from usher_models.db.evidence import FailedBot
from usher_models.db.leader_lock import Fence
from usher_models.errors import Unavailable
from usher_models.redaction import scrubbed
from usher_operator.background.loop import Messages, repeat
from usher_operator.kube.port import Json, KubePort
from usher_operator.lifecycle.evidence.bundle import bundle_of
from usher_operator.lifecycle.evidence.decision import decision_on
from usher_operator.lifecycle.evidence.facts import Facts, Reader, merged
from usher_operator.lifecycle.evidence.secrets import redactor_for
from usher_operator.lifecycle.evidence.size import bounded
from usher_operator.settings import Settings
from usher_operator.telemetry import EVIDENCE

logger = logging.getLogger(__name__)

BATCH = 50
AT_ONCE = 4
MEETING_LIMIT_S = 15.0
# How long Jobs may wait to be deleted, and for how long they do not wait any more if that was not enough.
DELETION_LIMIT_S = 5.0
NO_WAIT_S = 60.0
# What cannot be read may be readable soon: the pod of a finished Job stays for minutes.
RETRY_S = 30.0
PATIENCE_S = 60.0
# Of bots whose Jobs were deleted while they lived.
MOST_REMEMBERED = 50

_MESSAGES = Messages(
    action="evidence", postponed="Evidence is collected later", failed="Evidence could not be collected"
)


class EvidenceKeeper(Protocol):
    """What those who delete Jobs tell of it before."""

    async def keep(self, meeting_ids: Sequence[int]) -> None:
        """Collect what is due of meetings that failed. It never raises, and returns within seconds."""

    async def remember(self, bots: Sequence[BotSummary]) -> None:
        """Note what Kubernetes shows of bots that still live, in case they fail by it. It never raises."""


class NoEvidence:
    """Keeps none: the installation wants it so."""

    async def keep(self, meeting_ids: Sequence[int]) -> None:
        """See EvidenceKeeper."""

    async def remember(self, bots: Sequence[BotSummary]) -> None:
        """See EvidenceKeeper."""


class EvidenceCollector:
    """Lives as long as the process. It remembers only what a later try could not read any more."""

    def __init__(
        self,
        *,
        database: Database,
        kube: KubePort,
        fence: Fence,
        settings: Settings,
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._kube = kube
        self._fence = fence
        self._settings = settings
        self._now = now
        self._clock = clock
        self._waits_again_at = float("-inf")
        self._remembered: dict[int, Facts] = {}

    async def run(self, interval_s: float) -> None:
        """Collect for ever; what fails is repeated."""
        await repeat(self._collect_if_leading, _MESSAGES, every_s=interval_s)

    async def _collect_if_leading(self) -> float | None:
        if not self._fence.leads:
            return None
        return 0 if await self.collect_due() >= BATCH else None

    async def collect_due(self, meeting_ids: Sequence[int] | None = None) -> int:
        """Collect a batch of what is due, or what is due of those meetings; its size. Raises DatabaseUnavailable."""
        limit = BATCH if meeting_ids is None else len(meeting_ids)
        async with self._database.reading() as connection:
            found = await evidence.due(connection, limit=limit, meeting_ids=meeting_ids)
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(bot: FailedBot) -> None:
            async with slots:
                await self._collect_or_put_off(bot)

        for outcome in await asyncio.gather(*map(one, found), return_exceptions=True):
            if outcome is not None:
                raise outcome
        return len(found)

    async def keep(self, meeting_ids: Sequence[int]) -> None:
        """See EvidenceKeeper."""
        if meeting_ids and self._clock() >= self._waits_again_at:
            await self._in_time(self.collect_due(meeting_ids))

    async def remember(self, bots: Sequence[BotSummary]) -> None:
        """See EvidenceKeeper."""
        if self._clock() >= self._waits_again_at:
            await self._in_time(self._remember_all(bots[:MOST_REMEMBERED]))

    async def _remember_all(self, bots: Sequence[BotSummary]) -> None:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(bot: BotSummary) -> None:
            async with slots:
                self._note(bot.meeting_id, await self._read(bot))

        await asyncio.gather(*map(one, bots))

    async def _in_time(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            async with asyncio.timeout(DELETION_LIMIT_S):
                await work
        except TimeoutError:
            self._waits_again_at = self._clock() + NO_WAIT_S
            logger.warning("Jobs are deleted before their evidence is collected.", extra={"action": "evidence_late"})
        except Unavailable as exc:
            logger.warning("Evidence is collected later: %s", exc, extra={"action": "evidence_postponed"})
        except Exception:
            logger.exception("Evidence could not be collected.", extra={"action": "evidence_failed"})

    async def _collect_or_put_off(self, bot: FailedBot) -> None:
        """One that cannot be collected must not stand in the way of all others."""
        try:
            await self._collect(bot)
        except Unavailable:
            raise
        except Exception:
            logger.exception(
                "Evidence could not be collected.", extra={"action": "evidence_failed", "meeting_id": bot.meeting_id}
            )
            await self._put_off(bot, outcome="failed")

    async def _collect(self, bot: FailedBot) -> None:
        facts = merged(self._remembered.get(bot.meeting_id), await self._read(bot))
        if facts.unread and bot.waited_s < PATIENCE_S:
            self._note(bot.meeting_id, facts)
            await self._put_off(bot, outcome="postponed")
            return
        async with self._database.reading() as connection:
            trail = await rows.transitions(connection, bot.meeting_id)
        bundle = await self._bundle(bot, trail, facts)
        async with self._database.at_once() as connection:
            await evidence.store(connection, bot.meeting_id, bundle)
        self._remembered.pop(bot.meeting_id, None)
        EVIDENCE.labels(outcome="partial" if bundle["unread"] else "complete").inc()

    async def _put_off(self, bot: FailedBot, *, outcome: str) -> None:
        EVIDENCE.labels(outcome=outcome).inc()
        async with self._database.at_once() as connection:
            await evidence.put_off(connection, bot.meeting_id, pause_s=max(RETRY_S, bot.waited_s))

    async def _read(self, bot: BotSummary) -> Facts:
        reader = Reader(self._kube, bot)
        try:
            async with asyncio.timeout(MEETING_LIMIT_S):
                return await reader.read()
        except TimeoutError:
            reader.facts.unread.append("the rest: no answer in time")
            return reader.facts

    async def _bundle(self, bot: FailedBot, trail: Sequence[Transition], facts: Facts) -> Json:
        """In a thread: masking the secrets of a long log takes longer than the loop should stand still."""
        try:
            return await asyncio.to_thread(self._build, bot, trail, facts)
        except Exception as exc:
            logger.exception("Evidence could not be put together.", extra={"action": "evidence_failed"})
            said = Facts(unread=[f"all that Kubernetes said: it could not be put together ({type(exc).__name__})"])
            return await asyncio.to_thread(self._build, bot, trail, said)

    def _build(self, bot: FailedBot, trail: Sequence[Transition], facts: Facts) -> Json:
        decision = decision_on(bot, trail[-1] if trail else None, self._settings)
        bundle = bundle_of(bot, trail, facts, decision=decision, now=self._now())
        return bounded(scrubbed(bundle, redactor_for(bot, self._settings)))

    def _note(self, meeting_id: int, facts: Facts) -> None:
        while len(self._remembered) >= MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[meeting_id] = facts
