"""The commit that is released: its time is the time of everything in the release."""

import os
from dataclasses import dataclass
from pathlib import Path

from dev.machine.commands import attempt, run


@dataclass(frozen=True, kw_only=True)
class Source:
    """The commit's hash and time, and whether the checkout is exactly it."""

    revision: str
    epoch: int
    clean: bool

    @property
    def environment(self) -> dict[str, str]:
        """What makes other programs use the commit's time, and one language and time zone."""
        return {**os.environ, "SOURCE_DATE_EPOCH": str(self.epoch), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def read(root: Path) -> Source:
    """The commit of a checkout."""
    git = ["git", "-C", str(root)]
    revision, epoch = run([*git, "log", "-1", "--format=%H %ct"]).split()
    return Source(revision=revision, epoch=int(epoch), clean=not attempt([*git, "status", "--porcelain"]).stdout)
