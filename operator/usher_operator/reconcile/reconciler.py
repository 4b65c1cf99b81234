"""The loop: one sweep per interval, by one process at a time, through every failure mode in turn.

Evidence comes before silence: a Job that ended says how, a deadline only says that. A failure mode that breaks does
not keep the others from their work. Everything a sweep decides is re-checked in the statement that acts, so a restart,
a second copy or a stale snapshot does no harm.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from usher_models.db import bots
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_models.errors import Unavailable
from usher_models.states import LIVE
from usher_operator.kube.port import KubePort
from usher_operator.lifecycle.close import Closer
from usher_operator.lifecycle.commands import Commander
from usher_operator.lifecycle.create_request import RequestCreator
from usher_operator.lifecycle.ensure import Ensurer
from usher_operator.reconcile import snapshot
from usher_operator.reconcile.repairs import (
    deleted_request,
    finished_job,
    ignored_leave,
    max_duration,
    missed_request,
    missing_job,
    missing_request,
    orphan_job,
    unpullable_image,
)
from usher_operator.reconcile.silence import heartbeat_lost, never_exited, never_joined, never_started, rules
from usher_operator.reconcile.silence.brownout import Brownout
from usher_operator.reconcile.silence.brownout_events import BrownoutEvents
from usher_operator.reconcile.silence.rate_limit import EndRateLimit
from usher_operator.reconcile.sweep import Patience, Sweep
from usher_operator.settings import Settings
from usher_operator.telemetry import LAST_SWEEP, LIVE_BOTS, SWEEP_SECONDS, SWEEPS
from usher_operator.watch.in_flight import InFlight

logger = logging.getLogger(__name__)

# A sweep that takes longer than its interval still leaves the loop and the database some air.
SHORTEST_PAUSE_S = 1.0

Repair = Callable[[Sweep], Awaitable[None]]

REPAIRS_IN_ORDER: tuple[Repair, ...] = (
    finished_job.repair,
    unpullable_image.repair,
    never_joined.repair,
    heartbeat_lost.repair,
    never_exited.repair,
    max_duration.repair,
    ignored_leave.repair,
    deleted_request.repair,
    missing_job.repair,
    orphan_job.repair,
    missing_request.repair,
    missed_request.repair,
    # After what was left undone has been done: a reservation does not end for what Usher itself had not come to.
    never_started.repair,
)


class Reconciler:
    """Sweeps for as long as the process lives; `ticked_at` (monotonic) proves to the liveness probe that it does."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        kube: KubePort,
        commander: Commander,
        ensurer: Ensurer,
        closer: Closer,
        clock: Callable[[], float] = time.monotonic,
        brownout: Brownout | None = None,
        flight: LeaderLock | None = None,
        in_flight: InFlight | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._kube = kube
        self._commander = commander
        self._ensurer = ensurer
        self._closer = closer
        self._requester = RequestCreator(database=database, kube=kube)
        self._clock = clock
        self._flight = flight or LeaderLock(database, lease_s=settings.leader_lease_s)
        self._in_hand = in_flight or InFlight()
        self._brownout = brownout or Brownout(settings=settings, clock=clock)
        self._patience = Patience(clock)
        self._reap_rate = EndRateLimit(settings=settings, clock=clock)
        self._hold_events = BrownoutEvents(kube)
        self.ticked_at = clock()

    async def run(self) -> None:
        """Sweep for ever, an interval from begin to begin: a sweep that takes long does not put off the next."""
        keeping = asyncio.create_task(self._flight.keep(), name="lease")
        try:
            while True:
                await self.tick()
                pause_s = self.ticked_at + self._settings.reconcile_interval_s - self._clock()
                await asyncio.sleep(max(pause_s, SHORTEST_PAUSE_S))
        finally:
            keeping.cancel()
            await self._flight.release()

    async def tick(self) -> bool:
        """One sweep, if it is this process's turn; whether it was. It never raises."""
        self.ticked_at = self._clock()
        if not await self._flight.acquire():
            self._brownout.follows()
            SWEEPS.labels(outcome="not_mine").inc()
            return False
        self._brownout.leads()
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
        """Go through every failure mode once. Raises DatabaseUnavailable; anything else is logged and passed over."""
        async with self._database.transaction() as connection:
            live = await bots.live_bots(connection)
            silent = await rules.silent(connection, self._settings)
            hushed = await rules.quiet(connection, self._settings)
        counts = Counter(bot.status for bot in live)
        for status in LIVE:
            LIVE_BOTS.labels(status=status).set(counts[status])
        may_judge = self._brownout.may_judge(
            silent=len(silent), live=len(live), quiet=hushed.quiet, speaking=hushed.speaking
        )
        await self._hold_events.tell(silent or live, holding=self._brownout.holding)
        sweep = Sweep(
            settings=self._settings,
            database=self._database,
            kube=self._kube,
            commander=self._commander,
            ensurer=self._ensurer,
            closer=self._closer,
            requester=self._requester,
            patience=self._patience,
            live=live,
            snapshot=await snapshot.take(self._kube, self._settings.namespaces, live),
            may_judge_silence=may_judge and self._settings.stale_checks_enabled,
            reap_rate=self._reap_rate,
            in_flight=self._in_hand,
        )
        for repair in REPAIRS_IN_ORDER:
            await self._confirm()
            try:
                await repair(sweep)
            except Unavailable:
                raise
            except Exception:
                logger.exception(
                    "A failure mode could not be repaired.",
                    extra={"action": "repair_failed", "mode": repair.__module__},
                )

    async def _confirm(self) -> None:
        """Raise NotLeading when this process was stopped during the sweep and has lost the lead."""
        async with self._database.transaction() as connection:
            await self._flight.confirm(connection)
