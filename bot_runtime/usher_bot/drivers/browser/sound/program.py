"""A program's standard input: a transcriber of the class's choice runs beside the bot and reads the stream."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

END_S = 3.0


class ProgramSink:
    """Runs one program for the length of the recording. It gets the end of its input, then SIGKILL."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._program: asyncio.subprocess.Process | None = None

    async def open(self) -> None:
        self._program = await asyncio.create_subprocess_exec(*self._command, stdin=asyncio.subprocess.PIPE)

    async def take(self, data: bytes) -> None:
        if self._program and self._program.stdin:
            self._program.stdin.write(data)
            await self._program.stdin.drain()

    async def note(self, event: dict[str, Any]) -> None:
        """A stream of sound has no place for events."""

    async def close(self) -> None:
        if self._program is None or self._program.stdin is None:
            return
        self._program.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await self._program.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._program.kill()
            await self._program.wait()
