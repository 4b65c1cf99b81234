"""The exec driver: any program as the bot, such as an existing bot's image with usher-bot added to it.

The program speaks Vexa's callbacks to a local server and hears commands in the replies; it needs no token and no
knowledge of Kubernetes. The driver translates what it says, and what becomes of its process is the outcome. Leaving
is SIGTERM to the program, then to whatever it left behind; when the time is up the lifecycle cancels `leave`, and
cancelling it kills the rest.
"""

import os
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from usher_bot.clock import Clock, first_of, never
from usher_bot.drivers.base import NotJoined, ReportStage
from usher_bot.drivers.exec.callbacks import ChildWords
from usher_bot.drivers.exec.child import Child
from usher_bot.drivers.exec.config import child_environment
from usher_bot.drivers.exec.server import LocalServer
from usher_bot.exit_codes import Outcome, program_ended, program_silent
from usher_bot.settings import Settings
from usher_models.wire import Command

REST_S = 2.0


class ExecOptions(BaseModel):
    """Which program to run, and how long a program that sends heartbeats may be silent (0: for ever)."""

    model_config = ConfigDict(extra="forbid")

    command: Annotated[list[str], Field(min_length=1)]
    env: dict[str, str] = {}
    silence_s: Annotated[float, Field(ge=0, le=86_400)] = 120


class ExecDriver:
    """Supervises one child program."""

    def __init__(
        self,
        options: ExecOptions,
        *,
        settings: Settings,
        clock: Clock,
        environment: Mapping[str, str] = os.environ,
        is_init: bool = False,
    ) -> None:
        self._options = options
        self._settings = settings
        self._clock = clock
        self._environment = environment
        self._words = ChildWords(clock=clock)
        self._server = LocalServer(meeting_id=settings.meeting_id, words=self._words)
        self._child = Child(options.command, clock=clock, is_init=is_init)

    @property
    def participants(self) -> int | None:
        return self._words.participants

    @property
    def is_alive(self) -> bool:
        return True

    async def join(self, report_stage: ReportStage) -> None:
        self._words.on_stage = report_stage
        url = await self._server.open()
        self._child.start(
            environment=child_environment(
                self._settings, own=self._environment, options=self._options.env, local_url=url
            )
        )
        await first_of(self._words.joined.wait(), self._child.ended(), self._fall_silent())
        if not self._words.joined.is_set():
            raise NotJoined(await self._outcome())

    async def run(self) -> Outcome:
        await first_of(self._child.ended(), self._fall_silent())
        return await self._outcome()

    async def leave(self) -> None:
        was_told = self._child.lives
        try:
            self._child.terminate()
            if was_told:
                await self._child.ended()
            await first_of(self._child.terminate_rest(), never() if was_told else self._clock.sleep(REST_S))
        finally:
            self._child.kill()
            await self._server.close()

    async def reconfigure(self, command: Command) -> None:
        await self._server.hand_over(command)

    async def _outcome(self) -> Outcome:
        if self._child.lives:
            return program_silent(self._options.silence_s)
        code = await self._child.ended() or self._words.exit_code or 0
        return program_ended(code, reason=self._words.reason, detail=self._words.detail)

    async def _fall_silent(self) -> None:
        """Return when the program sent heartbeats and stopped."""
        silence_s = self._options.silence_s or await never()
        while True:
            last = self._words.last_beat_at
            await self._clock.sleep(silence_s if last is None else last + silence_s - self._clock.now())
            if last is not None and last == self._words.last_beat_at:
                return
