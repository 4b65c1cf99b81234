"""One bot with everything around it: settings, a callback server, a clock, and a driver that a test steers."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.unit.bot.fake_control_plane import FakeControlPlane
from tests.unit.bot.fake_time import FakeClock
from usher_bot.drivers.base import Driver, Faults, ReportStage
from usher_bot.exit_codes import MEETING_ENDED, Outcome
from usher_bot.lifecycle import Lifecycle
from usher_bot.redaction import Redactor
from usher_bot.settings import Settings
from usher_bot.wiring import assemble
from usher_models.states import Stage
from usher_models.wire import Command

PASSCODE = "swordfish"
CONNECTION_ID = "11111111-2222-3333-4444-555555555555"


def some_settings(token_file: Path, **changes: Any) -> Settings:
    """Settings of a bot with the simulated driver."""
    values: dict[str, Any] = {
        "connection_id": CONNECTION_ID,
        "meeting_id": 42,
        "callback_url": "http://127.0.0.1:9",
        "token_file": token_file,
        "platform": "google_meet",
        "native_meeting_id": "abc-defg-hij",
        "meeting_url": "https://meet.google.com/abc-defg-hij",
        "passcode": PASSCODE,
        "bot_name": "Usher",
        "driver": "simulated",
        "pod_uid": "pod-1",
    }
    return Settings(**(values | changes))


class SteeredDriver:
    """A driver whose phases end when the test says so."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.configurations: list[Command] = []
        self.participants: int | None = 2
        self.is_alive = True
        self.error: Exception | None = None
        self.refuses_configuration = False
        self.leaves = True
        self.let_in = asyncio.Event()
        self.ends = asyncio.Event()
        self.outcome = MEETING_ENDED

    async def join(self, report_stage: ReportStage) -> None:
        self.done.append("join")
        report_stage(Stage.LOBBY)
        await self.let_in.wait()
        self._fail()

    async def run(self) -> Outcome:
        self.done.append("run")
        await self.ends.wait()
        self._fail()
        return self.outcome

    async def leave(self) -> None:
        self.done.append("leave")
        while not self.leaves:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.done.append("swallowed a cancellation")

    async def reconfigure(self, command: Command) -> None:
        if self.refuses_configuration:
            raise RuntimeError("No such language.")
        self.configurations.append(command)

    def _fail(self) -> None:
        if self.error:
            raise self.error


class Harness:
    """One bot and its surroundings, not started yet."""

    def __init__(self, *, session: aiohttp.ClientSession, control_plane: FakeControlPlane, clock: FakeClock) -> None:
        self.session = session
        self.control_plane = control_plane
        self.clock = clock
        self.driver = SteeredDriver()
        self.lifecycle: Lifecycle
        self._running: asyncio.Task[Outcome] | None = None

    async def begin(self, settings: Settings, *, driver: Driver | None = None, faults: Faults | None = None) -> None:
        """Start the bot and let it come as far as it can without time."""
        self.lifecycle = assemble(
            settings.model_copy(update={"callback_url": self.control_plane.url}),
            session=self.session,
            redactor=Redactor(settings.secrets),
            clock=self.clock,
            driver=driver or self.driver,
            faults=faults,
        )
        self._running = asyncio.create_task(self.lifecycle.run())
        await self.clock.settle()

    async def begin_in_meeting(self, settings: Settings) -> None:
        """Start the bot and admit it."""
        self.driver.let_in.set()
        await self.begin(settings)

    async def end(self) -> Outcome:
        """Let time run until the bot has ended; its outcome."""
        living = self._task()
        await self.clock.run_until(living.done)
        return living.result()

    async def until(self, done: Callable[[], bool]) -> None:
        """Let time run until `done`."""
        await self.clock.run_until(done)

    @property
    def is_running(self) -> bool:
        return not self._task().done()

    async def close(self) -> None:
        """End a bot that still runs."""
        self.driver.leaves = True
        if self._running and not self._running.done():
            self._running.cancel()
            await self.clock.run_until(self._running.done)

    def _task(self) -> asyncio.Task[Outcome]:
        assert self._running, "The bot was not started."
        return self._running
