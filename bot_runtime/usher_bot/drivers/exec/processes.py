"""The processes of the program under the exec driver, as Linux tells of them: which one a connection belongs to, and
whether it lives."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_ESTABLISHED = "01"


def is_alive(pid: int, *, session: int) -> bool:
    """True if the process runs and belongs to the session; a number that another process has by now does not."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return False
    # The name before the last parenthesis may contain anything.
    state, _parent, _group, of_session = stat.rpartition(")")[2].split()[:4]
    return state != "Z" and int(of_session) == session


def connected_process(port: int, *, session: int) -> int | None:
    """The process of the session whose end of a connection has that local port; None if it cannot be told."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    return next((pid for pid in _processes(session) if sockets & set(_files(pid))), None) if sockets else None


def _inodes(port: int) -> Iterator[str]:
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / "net" / name).read_text().splitlines()[1:]:
                fields = line.split()
                if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == _ESTABLISHED:
                    yield fields[9]


def _processes(session: int) -> Iterator[int]:
    numbers = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())
    return (pid for pid in numbers if is_alive(pid, session=session))


def _files(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for entry in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                yield os.readlink(entry)
