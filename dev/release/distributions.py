"""The Python package: a wheel and an sdist."""

import sys
from pathlib import Path

from dev.cluster.settings import REPOSITORY
from dev.machine.commands import run
from dev.release.source import Source


def build(folder: Path, *, source: Source) -> list[Path]:
    """Both archives, in the folder. Hatchling takes the time of their files from SOURCE_DATE_EPOCH."""
    before = set(folder.iterdir())
    argv = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    run(argv, cwd=REPOSITORY, env=source.environment)
    return sorted(set(folder.iterdir()) - before)
