"""One command at a time: two `up` at once would build, start and clean up against each other.

The lock is the kernel's, on an open file: it is gone with the process that held it, however that process died.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.machine.progress import Progress


@contextmanager
def exclusive(path: Path, *, progress: Progress) -> Iterator[None]:
    """Hold the lock file for the length of the block, waiting for another holder to finish."""
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(holder, progress=progress)
        os.ftruncate(holder, 0)
        os.pwrite(holder, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(holder)


def _acquire(holder: int, *, progress: Progress) -> None:
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(holder, 32, 0).decode().strip() or "unknown"
        with progress.step(f"waiting for another command (pid {owner}) to finish"):
            fcntl.flock(holder, fcntl.LOCK_EX)
