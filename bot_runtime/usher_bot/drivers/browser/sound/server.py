"""A sound server of the bot's own: PulseAudio with one output that sounds nowhere, for its browser alone."""

import asyncio
import logging
import os
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from usher_bot.drivers.browser.page import BrowserFailed

PROGRAM = "pulseaudio"
READER = "parec"
RATE = 16_000
START_S = 10.0
END_S = 2.0
POLL_S = 0.02
READER_OPTIONS = (
    "--raw",
    "--device=meeting.monitor",
    "--format=s16le",
    f"--rate={RATE}",
    "--channels=1",
    "--latency-msec=100",
)

logger = logging.getLogger(__name__)


class SoundServer:
    """One server, from `start` to `stop`. `hear` gets what is played: 16-bit samples of one channel, RATE a second."""

    def __init__(self, hear: Callable[[bytes], None], *, folder: Path | None = None) -> None:
        self._hear = hear
        self._folder = folder or Path(tempfile.gettempdir()) / f"usher-sound-{os.getpid()}-{id(self):x}"
        self._processes: list[Process] = []
        self._reading: asyncio.Task[None] | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program needs to play here."""
        return {"XDG_RUNTIME_DIR": str(self._folder), "PULSE_SERVER": f"unix:{self._socket}"}

    async def start(self) -> None:
        """Return when programs can play. Raises BrowserFailed."""
        try:
            async with asyncio.timeout(START_S):
                await self._start()
        except (OSError, TimeoutError) as exc:
            await self.stop()
            reason = str(exc) or "it does not answer"
            raise BrowserFailed(f"The sound server {PROGRAM} did not start: {reason}.") from exc

    async def stop(self) -> None:
        """End it and remove its folder."""
        if self._reading:
            self._reading.cancel()
        for process in reversed(self._processes):
            await _end(process)
        self._processes.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _socket(self) -> Path:
        # Where a browser looks by itself, so that a sandbox of its audio service would let it through as well.
        return self._folder / "pulse" / "native"

    async def _start(self) -> None:
        self._folder.mkdir(mode=0o700)
        self._socket.parent.mkdir()
        server = await self._run(PROGRAM, *_server_options(self._socket))
        while not self._socket.exists():
            if server.returncode is not None:
                raise OSError(f"it ended with {server.returncode}")
            await asyncio.sleep(POLL_S)
        self._reading = asyncio.create_task(self._read(await self._run(READER, *READER_OPTIONS)))

    async def _run(self, *words: str) -> Process:
        home = {"HOME": str(self._folder), "PULSE_STATE_PATH": str(self._folder / "state"), **self.environment}
        process = await asyncio.create_subprocess_exec(
            *words, env={**os.environ, **home}, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
        self._processes.append(process)
        return process

    async def _read(self, reader: Process) -> None:
        while reader.stdout and (samples := await reader.stdout.read(2 * RATE)):
            self._hear(samples)
        logger.error("The sound server ended: nothing more is heard.", extra={"action": "sound_server_ended"})


def _server_options(socket: Path) -> tuple[str, ...]:
    return (
        "-n",
        "--daemonize=no",
        "--use-pid-file=no",
        "--exit-idle-time=-1",
        "--disallow-module-loading=yes",
        "--realtime=no",
        "--high-priority=no",
        # Shared memory would count as the pod's /dev/shm, which the browser needs.
        "--disable-shm=yes",
        "--log-target=stderr",
        "--log-level=error",
        "--load=module-null-sink sink_name=meeting rate=48000 channels=2",
        f"--load=module-native-protocol-unix socket={socket} auth-anonymous=1",
    )


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(TimeoutError):
        async with asyncio.timeout(END_S):
            await process.wait()
            return
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
