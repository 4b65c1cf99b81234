"""The bot under test: one process and whatever it starts, known by the connection id in their environments."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

TAIL_LINES = 15


class Program:
    """One process that was started, and all that came of it."""

    def __init__(self, process: asyncio.subprocess.Process, *, connection_id: str, output: Path) -> None:
        self._process = process
        self._output = output
        self._mark = f"USHER_CONNECTION_ID={connection_id}".encode()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 and the signal when a signal ended it."""
        code = self._process.returncode
        return code if code is None or code >= 0 else 128 - code

    async def ended(self, *, within_s: float) -> bool:
        """True if it has ended when the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._process.wait()
        return self.exit_code is not None

    async def kill(self) -> None:
        """End it and whatever it left behind."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self._process.wait()

    def terminate(self) -> None:
        """Ask the process itself to end, as the kubelet does."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def processes(self) -> list[int]:
        """The pids of what runs of it, wherever it went."""
        return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if self._mark in _environment_of(folder)]

    def output(self) -> str:
        """All that it wrote to standard output and error."""
        return self._output.read_text(errors="replace")

    def last_lines(self) -> str:
        """The end of that."""
        return "\n".join(self.output().splitlines()[-TAIL_LINES:])


@asynccontextmanager
async def running(argv: list[str], *, environment: Mapping[str, str], folder: Path) -> AsyncIterator[Program]:
    """Start a bot with these variables, its output in a file of `folder`; afterwards nothing of it runs any more."""
    path = folder / "output"
    with path.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    program = Program(process, connection_id=environment["USHER_CONNECTION_ID"], output=path)
    try:
        yield program
    finally:
        await program.kill()


def _environment_of(folder: Path) -> list[bytes]:
    # A process of somebody else, or one that ended meanwhile, cannot be read.
    with suppress(OSError):
        if _is_dead(folder):
            return []
        return (folder / "environ").read_bytes().split(b"\0")
    return []


def _is_dead(folder: Path) -> bool:
    state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
    return state in "ZX"


def usher_bot() -> list[str]:
    """The command of usher-bot itself."""
    return [sys.executable, "-m", "usher_bot"]
