"""One trial: the bot and a control plane of its own, and what was seen of the requirements."""

import json
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from usher_bot.conformance.control_plane import Call, ControlPlane
from usher_bot.conformance.program import Program, running
from usher_bot.conformance.requirements import Requirement, Result, Verdict

MEETING_ID = 1
NEXT_BEAT_S = 1.0
# A process that starts on a busy machine.
START_WITHIN_S = 60.0
# A bot may wait half a minute between two tries.
BACK_WITHIN_S = 45.0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """The bot to certify: the command of its container, and the settings that Usher gives it."""

    argv: list[str]
    driver: str
    driver_options: dict[str, Any] = field(default_factory=dict)
    platform: str = "jitsi"
    native_meeting_id: str = "conformance"
    meeting_url: str = "https://meet.jit.si/conformance"
    join_within_s: float = 120.0
    leave_grace_s: float = 20.0


class NotReached(Exception):
    """The trial cannot go on."""


class Trial:
    """What a case plays on, and where it writes down what it saw."""

    def __init__(
        self, candidate: Candidate, *, plane: ControlPlane, program: Program, connection_id: str, token_file: Path
    ) -> None:
        self.candidate = candidate
        self.connection_id = connection_id
        self.plane = plane
        self.program = program
        self.verdicts: dict[str, Verdict] = {}
        self.tokens = [token_file.read_text()]
        self._token_file = token_file

    def expect(self, requirement: Requirement, kept: bool, seen: str) -> bool:
        """Note a requirement, with what was seen if it is not kept. A requirement that failed once has failed."""
        before = self.verdicts.get(requirement.name)
        if before is None or before.result is Result.KEPT:
            result = Result.KEPT if kept else Result.BROKEN
            self.verdicts[requirement.name] = Verdict(requirement=requirement, result=result, seen="" if kept else seen)
        return kept

    def demand(self, requirement: Requirement, kept: bool, seen: str) -> None:
        """Note a requirement without which the trial cannot go on. Raises NotReached."""
        if not self.expect(requirement, kept, seen):
            raise NotReached

    async def call(self, *kinds: str, within_s: float, after: float = 0.0) -> Call | None:
        """The first call of these kinds that came after a moment on the monotonic clock; None when the time is up."""

        def found() -> list[Call]:
            return [each for each in self.plane.of(*kinds) if each.at > after]

        def done() -> bool:
            return bool(found()) or self.program.exit_code is not None

        await self.plane.until(done, within_s=within_s)
        return next(iter(found()), None)

    async def in_the_meeting(self, requirement: Requirement) -> None:
        """Wait until the bot has joined. Raises NotReached when it does not, which fails the requirement."""
        joined = await self.call("joined", within_s=START_WITHIN_S + self.candidate.join_within_s)
        self.demand(requirement, joined is not None, f"It did not report `joined`. {self.how_it_is()}")

    async def expect_heartbeats_again(self, requirement: Requirement) -> None:
        """Let the control plane answer as usual, and note whether a heartbeat comes."""
        self.plane.answer = None
        beat = await self.call("heartbeat", after=now(), within_s=BACK_WITHIN_S)
        self.expect(requirement, beat is not None, f"No heartbeat when Usher was back. {self.how_it_is()}")

    def rotate_token(self) -> None:
        """Give the bot another token, as the kubelet does."""
        self.tokens.append(secrets.token_urlsafe(16))
        _write(self._token_file, self.tokens[-1])

    def how_it_is(self) -> str:
        """Where the bot is now, for an explanation."""
        code = self.program.exit_code
        state = "Its process still runs." if code is None else f"Its process ended with exit code {code}."
        calls = ", ".join(each.kind for each in self.plane.calls[-5:]) or "none"
        return f"{state} Its last callbacks: {calls}."


@asynccontextmanager
async def trial_of(candidate: Candidate, *, prepare: Callable[[ControlPlane], None]) -> AsyncIterator[Trial]:
    """A control plane that `prepare` made ready, and the bot, which starts now."""
    plane = ControlPlane(meeting_id=MEETING_ID, next_beat_s=NEXT_BEAT_S)
    prepare(plane)
    with tempfile.TemporaryDirectory(prefix="usher-conformance-") as name:
        folder = Path(name)
        token_file = folder / "token"
        _write(token_file, secrets.token_urlsafe(16))
        async with plane:
            connection_id = str(uuid4())
            environment = _environment(candidate, url=plane.url, folder=folder, connection_id=connection_id)
            async with running(candidate.argv, environment=environment, folder=folder) as program:
                yield Trial(candidate, plane=plane, program=program, connection_id=connection_id, token_file=token_file)


def _write(path: Path, text: str) -> None:
    """Replace a file in one step, as the kubelet does."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def _environment(candidate: Candidate, *, url: str, folder: Path, connection_id: str) -> dict[str, str]:
    """What Usher puts into the container, beside what the caller has set."""
    own = {
        "USHER_CONNECTION_ID": connection_id,
        "USHER_MEETING_ID": str(MEETING_ID),
        "USHER_CALLBACK_URL": url,
        "USHER_TOKEN_FILE": str(folder / "token"),
        "USHER_PLATFORM": candidate.platform,
        "USHER_NATIVE_MEETING_ID": candidate.native_meeting_id,
        "USHER_MEETING_URL": candidate.meeting_url,
        "USHER_BOT_NAME": "Conformance",
        "USHER_DRIVER": candidate.driver,
        "USHER_DRIVER_OPTIONS": json.dumps(candidate.driver_options),
        "USHER_LOBBY_TIMEOUT_S": str(candidate.join_within_s),
        "USHER_LEAVE_GRACE_S": str(candidate.leave_grace_s),
        "USHER_HEARTBEAT_INTERVAL_S": str(NEXT_BEAT_S),
        "USHER_TERMINATION_LOG": str(folder / "termination-log"),
    }
    return {**os.environ, **own}


def now() -> float:
    """Seconds on the clock of `Call.at`."""
    return time.monotonic()
