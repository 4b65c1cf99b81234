"""The program under the exec driver: one child in a session of its own, and whatever it starts.

As PID 1 the bot inherits every orphan of the container, so one SIGCHLD handler waits for all of them; elsewhere only
for the child, because other children are not ours. Only that handler waits: `subprocess` and asyncio would steal its
statuses. The child is started once, and nothing of its group survives `kill`.

The program may be a wrapper, such as a shell that starts a display, a sound server and then the bot. The process that
sends callbacks is the bot: it is asked to end first, and alone, because it needs the others to leave its meeting.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress

from usher_bot.clock import Clock, first_of
from usher_bot.drivers.exec.processes import connected_process, is_alive

POLL_S = 0.1
# What a wrapper gets to end by itself after its bot.
WRAPPER_S = 2.0


class Child:
    """One program; its standard output and error go to the given descriptors."""

    def __init__(self, command: list[str], *, clock: Clock, is_init: bool) -> None:
        self._command = command
        self._clock = clock
        self._is_init = is_init
        self._pid: int | None = None
        self._reporter: int | None = None
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def is_running(self) -> bool:
        """True if it was started and has not ended."""
        return self._pid is not None and not self._ended.done()

    def start(self, *, environment: Mapping[str, str], output: tuple[int, int]) -> None:
        """Start it, and close the descriptors of its output here. Raises OSError when there is no such program."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)
        try:
            self._pid = _started(self._command, environment, output)
        finally:
            for descriptor in output:
                os.close(descriptor)
        self._reap()

    async def ended(self) -> int:
        """Its exit code once it ended; 128 and the signal when a signal ended it."""
        return await asyncio.shield(self._ended)

    def note_reporter(self, port: int) -> None:
        """A callback came from that port. Its process is remembered for as long as it lives."""
        if self._pid is not None and not self._reporter_lives():
            self._reporter = connected_process(port, session=self._pid)

    async def terminate(self) -> None:
        """Ask the program to end, its bot first; return when it ended."""
        if self._reporter_lives() and self._reporter != self._pid:
            self._signal(self._reporter)
            await first_of(self._reporter_gone(), self.ended())
            await first_of(self.ended(), self._clock.sleep(WRAPPER_S))
        if self.is_running:
            self._signal(self._pid)
        await self.ended()

    def _signal(self, pid: int | None) -> None:
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _reporter_lives(self) -> bool:
        return None not in (self._reporter, self._pid) and is_alive(self._reporter or 0, session=self._pid or 0)

    async def _reporter_gone(self) -> None:
        while self._reporter_lives():
            await self._clock.sleep(POLL_S)

    async def terminate_rest(self) -> None:
        """Ask what the program left behind to end, and return when it did."""
        self._signal_group(signal.SIGTERM)
        while self._signal_group(0):
            await self._clock.sleep(POLL_S)

    def kill(self) -> None:
        """End everything that is left, at once."""
        self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: int) -> bool:
        """True if a process of the group was there."""
        if self._pid is None:
            return False
        try:
            os.killpg(self._pid, number)
        except ProcessLookupError:
            return False
        return True

    def _reap(self) -> None:
        if self._pid is None:
            return
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1 if self._is_init else self._pid, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._pid:
                    self._note_end(os.waitstatus_to_exitcode(status))

    def _note_end(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code if code >= 0 else 128 - code)


def _started(command: list[str], environment: Mapping[str, str], output: tuple[int, int]) -> int:
    """The pid of a new process in a session of its own.

    os.posix_spawnp would do, but portable builds of Python, such as those that uv installs, have it without setsid.
    """
    stdout, stderr = output
    child = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
    )
    child.returncode = 0  # makes subprocess forget it: only the SIGCHLD handler may wait
    return child.pid
