"""The loop: one sweep per interval, by one process at a time, through every failure mode in turn.

A process that does not lead asks for the lead about twice a second, and sweeps as soon as it has it: what nobody did
in between is found at once. Only this loop takes the lead, so no sweep goes on that was begun under an earlier one.

A repair that breaks does not keep the others from their work. Everything a sweep decides is checked again in the
statement that acts, so a restart, a second copy or an old snapshot does no harm.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from usher_models.db import bots, clock
from usher_models.db.bots import BotSummary
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_models.errors import DatabaseUnavailable, KubernetesUnavailable, NotLeading, Unavailable
from usher_models.states import LIVE
from usher_operator.background.loop import Messages, repeat
from usher_operator.kube.api_budget import ApiBudget
from usher_operator.kube.port import KubePort
from usher_operator.lifecycle.lost_bots import highest_ids
from usher_operator.reconcile import snapshot
from usher_operator.reconcile.epoch.guard import EpochGuard
from usher_operator.reconcile.failure_modes import FAILURE_MODES, FailureMode
from usher_operator.reconcile.silence import rules
from usher_operator.reconcile.silence.brownout import Fleet
from usher_operator.reconcile.sweep import Acts, Memory, Picture, Sweep
from usher_operator.settings import Settings
from usher_operator.telemetry import LAST_SWEEP, LEADER, LIVE_BOTS, SWEEP_SECONDS, SWEEPS, clear_sweep_gauges
from usher_operator.watch.in_flight import InFlight

logger = logging.getLogger(__name__)

# A sweep that takes longer than its interval still leaves the loop and the database some air.
SHORTEST_PAUSE_S = 1.0
# How often a process that stands by asks for the lead: a short query, and what a takeover after a crash waits for.
ASK_EVERY_S = 0.5
JITTER = 0.2

_SWEEP = Messages(action="sweep", postponed="The sweep is postponed", failed="The sweep failed")
_LEASE = Messages(action="lease", postponed="The lead is renewed later", failed="The lead could not be renewed")


class Reconciler:
    """Sweeps for as long as the process lives; `ticked_at` (monotonic) proves to the liveness probe that it does."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        kube: KubePort,
        acts: Acts,
        memory: Memory,
        epoch: EpochGuard,
        lock: LeaderLock,
        in_flight: InFlight,
        installation: str,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._database = database
        self._kube = kube
        self._acts = acts
        self._memory = memory
        self._epoch = epoch
        self._lock = lock
        self._in_flight = in_flight
        self._installation = installation
        self._clock = clock
        self.ticked_at = clock()

    async def run(self) -> None:
        """Sweep for ever, an interval from begin to begin: a sweep that takes long does not put off the next."""
        renewing = asyncio.create_task(repeat(self._lock.renew, _LEASE, every_s=self._lock.renew_every_s), name="lease")
        try:
            interval_s = self._settings.reconcile_interval_s
            await repeat(self._tick_and_count, _SWEEP, every_s=interval_s, pause=self._pause)
        finally:
            renewing.cancel()
            await self._lock.release()
            self._follow()

    async def _tick_and_count(self) -> float:
        """One tick; the seconds until the next."""
        began_at = self._clock()
        await self.tick()
        if not self._lock.leads:
            return ASK_EVERY_S * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - nothing secret
        return max(began_at + self._settings.reconcile_interval_s - self._clock(), SHORTEST_PAUSE_S)

    async def _pause(self, seconds: float) -> None:
        """Sleep; a leader that loses the lead asks for it again without waiting for its next sweep."""
        if not self._lock.leads:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._lock.lost.wait()

    def _follow(self) -> None:
        """Stop saying what only the leader knows. What was seen of the database counts until another process leads."""
        self._memory.brownout.follows()
        if self._lock.another_leads:
            self._epoch.forget()
        else:
            self._epoch.mistrust()
        LEADER.set(0)
        clear_sweep_gauges()

    async def tick(self) -> bool:
        """One sweep, if this process leads; True if it does. It never raises."""
        self.ticked_at = self._clock()
        if not await self._lock.acquire():
            self._follow()
            return False
        LEADER.set(1)
        self._memory.brownout.leads()
        try:
            with SWEEP_SECONDS.time():
                await self.sweep()
        except Unavailable as exc:
            SWEEPS.labels(outcome="postponed").inc()
            logger.warning("The sweep is postponed: %s", exc, extra={"action": "sweep_postponed"})
        except Exception:
            SWEEPS.labels(outcome="failed").inc()
            logger.exception("The sweep failed.", extra={"action": "sweep_failed"})
        else:
            SWEEPS.labels(outcome="done").inc()
            LAST_SWEEP.set_to_current_time()
        return True

    async def sweep(self) -> None:
        """Repair every failure mode once. Raises DatabaseUnavailable, ForeignDatabase and NotLeading; anything else is
        logged."""
        api = ApiBudget()
        await self._epoch.look()
        sweep = Sweep(
            settings=self._settings,
            database=self._database,
            acts=self._acts,
            memory=self._memory,
            epoch=self._epoch,
            in_flight=self._in_flight,
            picture=await self._look(api),
            api=api,
        )
        for mode in FAILURE_MODES:
            if mode.waits and self._epoch.hold.active:
                continue
            await self._confirm()
            await _repair(mode, sweep)
            self.ticked_at = self._clock()
        await self._epoch.swept()

    async def _look(self, api: ApiBudget) -> Picture:
        async with self._database.transaction() as connection:
            await clock.set_back_future_rows(connection)
            live = await bots.live_summaries(connection)
            stale = await rules.stale_bots(connection, self._settings)
            reports = await rules.count_reports(connection, self._settings)
            unreadable = await bots.unreadable_bots(connection)
        _count(live)
        self._memory.left_out.note(live, unreadable, served=self._settings.namespaces)
        fleet = Fleet(live=len(live), stale=len(stale), reporting=reports.reporting, late=reports.late)
        may_fail = self._memory.brownout.may_fail(fleet)
        await self._memory.brownout_events.post(stale or live, api, active=self._memory.brownout.active)
        namespaces = self._settings.namespaces
        taken = await snapshot.take(self._kube, namespaces, live, installation=self._installation)
        shown = await self._highest_shown_id()
        self._epoch.note_snapshot(complete=taken.namespaces.issuperset(namespaces) and shown is not None)
        return Picture(
            installation=self._installation,
            live=live,
            snapshot=taken,
            stale_checks=may_fail and self._settings.stale_checks_enabled,
            used_meeting_id=max(self._epoch.used_meeting_id, shown or 0),
        )

    async def _highest_shown_id(self) -> int | None:
        """The highest id of a meeting that a BotRequest shows, those that are over included; None if it is not known.

        Asked for while bots are adopted only: it is a list of everything.
        """
        highest = 0
        if not self._epoch.hold.adopting:
            return highest
        try:
            for namespace in self._settings.namespaces:
                requests = await self._kube.list_requests(namespace)
                highest = max(highest, highest_ids([], requests)[0])
        except KubernetesUnavailable:
            return None
        return highest

    async def _confirm(self) -> None:
        """Raise NotLeading if this process was stopped during the sweep and has lost the lead."""
        async with self._database.transaction() as connection:
            await self._lock.confirm(connection)


def _count(live: Sequence[BotSummary]) -> None:
    counts = Counter(bot.status for bot in live)
    for status in LIVE:
        LIVE_BOTS.labels(status=status).set(counts[status])


async def _repair(mode: FailureMode, sweep: Sweep) -> None:
    try:
        await mode.repair(sweep)
    except (DatabaseUnavailable, NotLeading):
        raise
    except Unavailable as exc:
        logger.warning("A repair is postponed: %s", exc, extra={"action": "repair_postponed", "mode": mode.name})
    except Exception:
        logger.exception("A failure mode could not be repaired.", extra={"action": "repair_failed", "mode": mode.name})
