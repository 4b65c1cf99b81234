"""Long-lived native processes: started detached, found again by what they are, stopped for certain.

There are no pid files. A pid on disk is stale the moment the process dies, and signalling it may hit a
stranger. A process is ours when its first argument is the program and one of its arguments names a path only
we use (the marker); `/proc` is read anew each time, so a killed session leaves nothing to clean up here.
A process lives from `start` until it ends by itself or `stop` is called: it outlives the command that began it.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dev.machine import pidfd
from dev.machine.errors import DevError

ROTATE_BYTES = 5 * 1024 * 1024
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
START_TIME_FIELD = 19  # counted after the command's closing parenthesis in /proc/PID/stat


@dataclass(frozen=True, kw_only=True)
class Process:
    """One program as it should run. `marker` is a part of its arguments that no other process has."""

    name: str
    argv: tuple[str, ...]
    marker: str
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()  # a wrapper that replaces itself with argv, such as setpriv
    stop_signal: signal.Signals = signal.SIGTERM


@dataclass(frozen=True)
class Running:
    """A process seen in /proc."""

    pid: int
    age_s: float


def start(process: Process) -> None:
    """Start the process in a session of its own, unless it already runs."""
    if find(process) is not None:
        return
    process.log.parent.mkdir(parents=True, exist_ok=True)
    rotate(process.log)
    argv = [*process.prefix, *process.argv]
    with process.log.open("a") as log:
        started = subprocess.Popen(
            argv,
            env={**os.environ, **process.env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    started.returncode = 0  # it outlives us: without this, subprocess would warn that nobody waited for it


def find(process: Process) -> Running | None:
    """The running process, or None. Its oldest instance when it has forked children of the same name."""
    return min(find_all(process.argv[0], marker=process.marker), key=lambda seen: -seen.age_s, default=None)


def find_all(program: str, *, marker: str) -> list[Running]:
    """All processes of that program, wherever it lies, with the marker among their arguments."""
    return [running for pid in _pids() if _is(pid, program, marker) and (running := _running(pid)) is not None]


def is_outdated(process: Process) -> bool:
    """Whether it runs with other arguments than it would be started with now."""
    running = find(process)
    return running is not None and _arguments(running.pid) != list(process.argv)


def stop(process: Process, *, grace_s: float = 10.0, kill: bool = False) -> None:
    """Ask the process to end, and end it when the grace is over (at once with `kill`)."""
    number = signal.SIGKILL if kill else process.stop_signal
    stop_all(process.argv[0], marker=process.marker, number=number, grace_s=grace_s)


def stop_all(program: str, *, marker: str, number: signal.Signals = signal.SIGTERM, grace_s: float = 10.0) -> None:
    """Send the signal to every process of that program with that marker, and kill those left after the grace."""
    handles = [handle for seen in find_all(program, marker=marker) if (handle := _open(seen.pid, program, marker))]
    try:
        _signal_all(handles, number)
        left = _wait_all(handles, timeout_s=grace_s)
        _signal_all(left, signal.SIGKILL)
        if _wait_all(left, timeout_s=10.0):
            raise DevError(f"{program} does not end, not even when killed; look for a stuck mount or disk.")
    finally:
        for handle in handles:
            os.close(handle)


def rotate(log: Path, *, limit: int = ROTATE_BYTES) -> None:
    """Move a log that has grown over the limit aside; one older log is kept."""
    if log.exists() and log.stat().st_size > limit:
        log.replace(log.with_name(log.name + ".1"))


def _pids() -> Iterator[int]:
    own = os.getpid()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != own:
            yield int(entry.name)


def _is(pid: int, program: str, marker: str) -> bool:
    arguments = _arguments(pid)
    same = os.path.basename(arguments[0]) == os.path.basename(program)
    return same and any(marker in argument for argument in arguments[1:])


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1] or [""]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return [""]


def _running(pid: int) -> Running | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    began = int(stat.rpartition(")")[2].split()[START_TIME_FIELD]) / CLOCK_TICKS
    return Running(pid, max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - began))


def _open(pid: int, program: str, marker: str) -> int | None:
    """A handle on the process that cannot come to mean another one; the look after opening makes it sure."""
    try:
        handle = pidfd.open_handle(pid)
    except ProcessLookupError:
        return None
    if _is(pid, program, marker):
        return handle
    os.close(handle)
    return None


def _signal_all(handles: list[int], number: signal.Signals) -> None:
    for handle in handles:
        try:
            pidfd.send_signal(handle, number)
        except ProcessLookupError:
            continue


def _wait_all(handles: list[int], *, timeout_s: float) -> list[int]:
    """Wait for the processes to end; returns those that have not."""
    deadline = time.monotonic() + timeout_s
    left = list(handles)
    while left and (patience := deadline - time.monotonic()) > 0:
        ended, _, _ = select.select(left, [], [], patience)
        left = [handle for handle in left if handle not in ended]
    return left
