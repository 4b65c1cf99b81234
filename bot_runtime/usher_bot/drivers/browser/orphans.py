"""PID 1 reaps: Chromium's helpers outlive their parents, and as orphans they become children of the bot.

asyncio waits for the processes that it started itself, so a dead child is only taken when it lay there for a whole
interval: by then no one else wants it.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

EVERY_S = 5.0


def dead_children(parent: int, *, proc: Path = Path("/proc")) -> set[int]:
    """The children of a process that ended and were not waited for."""
    return {pid for pid in _pids(proc) if _is_dead_child(pid, parent, proc)}


async def reap() -> None:
    """Take the orphans that are left lying, for ever."""
    known: set[int] = set()
    while True:
        await asyncio.sleep(EVERY_S)
        dead = dead_children(os.getpid())
        for pid in dead & known:
            _take(pid)
        known = dead


def _take(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _pids(proc: Path) -> list[int]:
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()]


def _is_dead_child(pid: int, parent: int, proc: Path) -> bool:
    try:
        state, ppid = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return False
    return state == "Z" and int(ppid) == parent
