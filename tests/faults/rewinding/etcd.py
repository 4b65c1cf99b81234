"""etcd is restored from a snapshot: what was asked for and what happened since is gone from the API server."""

import asyncio
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from dev.cluster import bare
from dev.cluster.settings import Settings
from dev.machine.progress import Progress
from tests.faults.rewinding.ground import Ground
from tests.faults.rewinding.rewind import Facts


class RestoredEtcd:
    """See the module."""

    facts = Facts(name="etcd restored", loses_late_bots=False, keeps_late_bots=False, is_noticed=False)

    def __init__(self) -> None:
        self._settings = bare.load()
        self._snapshot = Path()

    async def mark(self, ground: Ground, stack: AsyncExitStack) -> None:
        self._snapshot = Path(stack.enter_context(TemporaryDirectory(prefix="usher-rewind-"))) / "etcd"
        await asyncio.to_thread(self._keep)

    async def go_back(self, ground: Ground) -> None:
        await asyncio.to_thread(self._restore)

    def _keep(self) -> None:
        bare.stop(self._settings, "etcd")
        shutil.copytree(_data(self._settings), self._snapshot)
        bare.start(self._settings, "etcd")

    def _restore(self) -> None:
        """The whole control plane begins anew: nobody may remember what is not in the snapshot."""
        bare.down(self._settings)
        shutil.rmtree(_data(self._settings))
        shutil.copytree(self._snapshot, _data(self._settings))
        bare.up(self._settings, progress=Progress())


def _data(settings: Settings) -> Path:
    return settings.state / "etcd"
