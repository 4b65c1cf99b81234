"""What every repair works with during one sweep."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from usher_models.db.bots import BotSummary
from usher_models.db.engine import Database
from usher_operator.kube.api_budget import ApiBudget
from usher_operator.kube.port import Json, KubePort
from usher_operator.lifecycle.close import Closer
from usher_operator.lifecycle.commands import Commander
from usher_operator.lifecycle.create_request import RequestCreator
from usher_operator.lifecycle.ensure import Ensurer
from usher_operator.reconcile.epoch.guard import EpochGuard
from usher_operator.reconcile.grace import Grace
from usher_operator.reconcile.left_out import LeftOut
from usher_operator.reconcile.silence.brownout import Brownout
from usher_operator.reconcile.silence.brownout_events import BrownoutEvents
from usher_operator.reconcile.silence.rate_limit import EndRateLimit
from usher_operator.reconcile.snapshot import Snapshot
from usher_operator.settings import Settings
from usher_operator.watch.in_flight import InFlight


@dataclass(frozen=True, kw_only=True)
class Acts:
    """What a repair may do."""

    commander: Commander
    ensurer: Ensurer
    closer: Closer
    request_creator: RequestCreator


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What the reconciler remembers from sweep to sweep; a restart forgets it, and only makes Usher wait longer."""

    grace: Grace
    end_rate: EndRateLimit
    brownout: Brownout
    brownout_events: BrownoutEvents
    left_out: LeftOut

    @classmethod
    def empty(cls, *, settings: Settings, kube: KubePort, clock: Callable[[], float]) -> Self:
        """The memory of a process that has just started."""
        return cls(
            grace=Grace(clock),
            end_rate=EndRateLimit(settings=settings, clock=clock),
            brownout=Brownout(settings=settings, clock=clock),
            brownout_events=BrownoutEvents(kube),
            left_out=LeftOut(),
        )


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The live rows as they were before the snapshot was taken, and the snapshot. `installation`: who owns them.

    `stale_checks`: True if the stale rules may fail meetings in this sweep. `used_meeting_id`: no new meeting may get
    an id up to it.
    """

    installation: str
    live: Sequence[BotSummary] = field(default_factory=list)
    snapshot: Snapshot = field(default_factory=Snapshot)
    stale_checks: bool = True
    used_meeting_id: int = 0


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One sweep. `api` is its time for best-effort calls to the API server."""

    settings: Settings
    database: Database
    acts: Acts
    memory: Memory
    epoch: EpochGuard
    in_flight: InFlight
    picture: Picture
    api: ApiBudget

    @property
    def live(self) -> Sequence[BotSummary]:
        """The live rows."""
        return self.picture.live

    @property
    def snapshot(self) -> Snapshot:
        """What the API server said, as far as it could be read."""
        return self.picture.snapshot

    def job_of(self, bot: BotSummary) -> Json | None:
        """The bot's own Job in the snapshot; None also if it could not be read."""
        return self.snapshot.jobs.get(_key(bot))

    def pod_of(self, bot: BotSummary) -> Json | None:
        """The bot's pod in the snapshot; None also if it could not be read."""
        return self.snapshot.pods.get(_key(bot))

    def known(self) -> Iterator[BotSummary]:
        """The live bots of whom the absence of an object is evidence."""
        return (bot for bot in self.live if self.snapshot.covers(bot))

    def runs_nothing(self, bot: BotSummary) -> bool:
        """True if the bot has neither Job nor pod. Proves something for a known bot only."""
        return self.job_of(bot) is None and self.pod_of(bot) is None


def _key(bot: BotSummary) -> tuple[str, str]:
    return bot.request_namespace or "", bot.job_name
