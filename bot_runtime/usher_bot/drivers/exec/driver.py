"""The exec driver: any program as the bot, such as an existing bot's image with usher-bot added to it.

The program sends Vexa's callbacks to a local server and reads commands in the answers; it needs no token and no
knowledge of Kubernetes. The driver translates its callbacks, and the end of its process is the outcome. Leaving
is SIGTERM to the process that reports, to the program, then to the processes it left behind; when the time is up the
lifecycle cancels `leave`, and cancelling it kills the rest.
"""

import os
from collections.abc import Mapping
from dataclasses import replace

from usher_bot.clock import Clock, first_of, never
from usher_bot.drivers.base import NotJoined, ReportStage
from usher_bot.drivers.exec.callbacks import ChildCallbacks
from usher_bot.drivers.exec.child import Child
from usher_bot.drivers.exec.config import child_environment, own_redis, secrets_in
from usher_bot.drivers.exec.output import Output
from usher_bot.drivers.exec.program_redis import ProgramRedis
from usher_bot.drivers.exec.server import LocalServer
from usher_bot.exit_codes import ExitCode, Outcome, program_ended, program_silent
from usher_bot.redaction import Redactor
from usher_bot.settings import Settings
from usher_models.exec_options import ExecOptions
from usher_models.wire import Command

REST_S = 2.0
EXPLAIN_AFTER_S = 60.0


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
        self.callbacks = ChildCallbacks(clock=clock)
        self._server = LocalServer(meeting_id=settings.meeting_id, callbacks=self.callbacks)
        secrets = [*settings.secrets, *secrets_in({**environment, **options.env})]
        self._output = Output(redactor=Redactor(secrets))
        self._child = Child(options.command, clock=clock, is_init=is_init)
        self._server.on_callback = self._child.note_reporter
        self._redis = ProgramRedis(
            own_redis({**environment, **options.env}, settings),
            meeting_id=settings.meeting_id,
            connection_id=settings.connection_id,
        )

    @property
    def is_running(self) -> bool:
        """True if the program was started and has not ended."""
        return self._child.is_running

    @property
    def participants(self) -> int | None:
        return self.callbacks.participants

    def explain(self) -> str | None:
        """The progress of a program that does not report `joined` and does not end; it looks like one that boots."""
        waited_s = self._clock.now() - self.callbacks.last_at
        if not self._child.is_running or self.callbacks.joined.is_set() or waited_s < EXPLAIN_AFTER_S:
            return None
        last = self.callbacks.last
        what = f"its last callback was {last!r}," if last else "it has sent no callback, and started"
        return f"The bot's program runs and has not reported `joined`; {what} {waited_s:.0f} s ago."

    @property
    def is_alive(self) -> bool:
        return True

    async def join(self, report_stage: ReportStage) -> None:
        self.callbacks.on_stage = report_stage
        url = await self._server.open()
        environment = child_environment(self._settings, own=self._environment, options=self._options, local_url=url)
        self._child.start(environment=environment, output=self._output.open())
        await first_of(self.callbacks.joined.wait(), self._child.ended(), self._fall_silent())
        if not self.callbacks.joined.is_set():
            raise NotJoined(await self._outcome())

    async def run(self) -> Outcome:
        await first_of(self._child.ended(), self._fall_silent())
        return await self._outcome()

    async def leave(self) -> None:
        was_told = self._child.is_running
        try:
            if was_told:
                await self._child.terminate()
            await first_of(self._child.terminate_rest(), never() if was_told else self._clock.sleep(REST_S))
        finally:
            self._child.kill()
            self._output.close()
            await self._server.close()

    async def reconfigure(self, command: Command) -> None:
        if not await self._redis.publish(command):
            await self._server.hand_over(command)

    async def _outcome(self) -> Outcome:
        if self._child.is_running:
            return replace(program_silent(self._options.silence_s), detail=self._detail(ExitCode.FAILED))
        code = await self._child.ended() or self.callbacks.exit_code or 0
        said = self.callbacks
        return program_ended(code, reason=said.reason, reason_kind=said.reason_kind, detail=self._detail(code))

    def _detail(self, code: int) -> str | None:
        tail = self._output.tail() if code else None
        said = self.callbacks.detail
        return "\n".join(part for part in (said, f"Its last output:\n{tail}" if tail else None) if part) or None

    async def _fall_silent(self) -> None:
        """Return when the program sent heartbeats and stopped."""
        silence_s = self._options.silence_s or await never()
        while True:
            last = self.callbacks.last_beat_at
            await self._clock.sleep(silence_s if last is None else last + silence_s - self._clock.now())
            if last is not None and last == self.callbacks.last_beat_at:
                return
