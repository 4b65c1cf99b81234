"""The guard of the epoch, wired as in production."""

from collections.abc import Callable

from tests.fakes.settings import INSTALLATION
from usher_models.db.engine import Database
from usher_operator.kube.port import KubePort
from usher_operator.lifecycle.hold import Hold
from usher_operator.reconcile.epoch.events import AdoptionEvents
from usher_operator.reconcile.epoch.guard import EpochGuard
from usher_operator.reconcile.epoch.store import EpochStore
from usher_operator.settings import Settings

EPOCH = ("usher-system", "usher-epoch")


def an_epoch(
    database: Database, *, settings: Settings, kube: KubePort, hold: Hold, clock: Callable[[], float]
) -> EpochGuard:
    """A guard as after a start."""
    return EpochGuard(
        settings=settings,
        database=database,
        store=EpochStore(kube=kube, namespace=EPOCH[0], name=EPOCH[1]),
        hold=hold,
        events=AdoptionEvents(kube),
        installation=INSTALLATION,
        clock=clock,
    )
