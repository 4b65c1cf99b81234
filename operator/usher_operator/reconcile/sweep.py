"""What every repair works with during one sweep."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_operator.kube.port import Json, KubePort
from usher_operator.lifecycle.close import Closer
from usher_operator.lifecycle.commands import Commander
from usher_operator.lifecycle.create_request import RequestCreator
from usher_operator.lifecycle.ensure import Ensurer
from usher_operator.reconcile.grace import Grace
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

    @classmethod
    def empty(cls, *, settings: Settings, kube: KubePort, clock: Callable[[], float]) -> Self:
        """The memory of a process that has just started."""
        return cls(
            grace=Grace(clock),
            end_rate=EndRateLimit(settings=settings, clock=clock),
            brownout=Brownout(settings=settings, clock=clock),
            brownout_events=BrownoutEvents(kube),
        )


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The live rows as they were before the snapshot was taken, and the snapshot, if there is one.

    `stale_checks`: True if the stale rules may fail meetings in this sweep.
    """

    live: Sequence[Bot] = field(default_factory=list)
    snapshot: Snapshot | None = None
    stale_checks: bool = True


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One sweep."""

    settings: Settings
    database: Database
    acts: Acts
    memory: Memory
    in_flight: InFlight
    picture: Picture

    @property
    def live(self) -> Sequence[Bot]:
        """The live rows."""
        return self.picture.live

    @property
    def snapshot(self) -> Snapshot | None:
        """What the API server said, if it could be read."""
        return self.picture.snapshot

    def job_of(self, bot: Bot) -> Json | None:
        """The bot's own Job in the snapshot; None also if there is no snapshot."""
        return self.snapshot.jobs.get(_key(bot)) if self.snapshot else None

    def pod_of(self, bot: Bot) -> Json | None:
        """The bot's pod in the snapshot; None also if there is no snapshot."""
        return self.snapshot.pods.get(_key(bot)) if self.snapshot else None


def _key(bot: Bot) -> tuple[str, str]:
    return bot.request_namespace or "", bot.job_name
