"""What every failure mode works with during one sweep."""

from collections.abc import Callable
from dataclasses import dataclass, field

from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_operator.kube.port import Json, KubePort
from usher_operator.lifecycle.close import Closer
from usher_operator.lifecycle.commands import Commander
from usher_operator.lifecycle.create_request import RequestCreator
from usher_operator.lifecycle.ensure import Ensurer
from usher_operator.reconcile.silence.rate_limit import EndRateLimit
from usher_operator.reconcile.snapshot import Snapshot
from usher_operator.settings import Settings
from usher_operator.watch.in_flight import InFlight


class Patience:
    """Remembers since when something has looked wrong, by this process's own monotonic clock.

    Lists of the API server are taken at different moments, so one odd sight proves nothing. A restart forgets, which
    only makes Usher wait longer.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[object, float] = {}

    def outlasted(self, things: set[object], *, mode: str, grace_s: float) -> set[object]:
        """Those of `things` that have looked wrong in every sweep for `grace_s`; the others of `mode` are forgotten."""
        now = self._clock()
        self._since = {
            key: since
            for key, since in self._since.items()
            if not (isinstance(key, tuple) and key[0] == mode and key[1] not in things)
        }
        return {thing for thing in things if now - self._since.setdefault((mode, thing), now) >= grace_s}


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One sweep: the live rows as they were before the snapshot was taken, and the snapshot, if there is one."""

    settings: Settings
    database: Database
    kube: KubePort
    commander: Commander
    ensurer: Ensurer
    closer: Closer
    requester: RequestCreator
    patience: Patience
    live: list[Bot] = field(default_factory=list)
    snapshot: Snapshot | None = None
    may_judge_silence: bool = True
    reap_rate: EndRateLimit | None = None
    in_flight: InFlight = field(default_factory=InFlight)

    def job_of(self, bot: Bot) -> Json | None:
        """The bot's own Job in the snapshot; None also when there is no snapshot."""
        return self.snapshot.jobs.get(_key(bot)) if self.snapshot else None

    def pod_of(self, bot: Bot) -> Json | None:
        """The bot's pod in the snapshot; None also when there is no snapshot."""
        return self.snapshot.pods.get(_key(bot)) if self.snapshot else None


def _key(bot: Bot) -> tuple[str, str]:
    return bot.request_namespace or "", bot.job_name
