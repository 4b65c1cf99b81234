"""A whole run under the exec driver: a real program, a real callback server, real and short time."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.bot.fake_control_plane import FakeControlPlane
from tests.unit.bot.harness import some_settings
from usher_bot import main
from usher_bot.process import Signals
from usher_bot.redaction import Redactor
from usher_models.wire import leave_command

CHILD = [sys.executable, "-S", str(Path(__file__).with_name("vexa_bot.py"))]


@pytest.fixture(autouse=True)
def _no_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "exit_at_the_latest", lambda code, *, after_s: None)


@pytest.fixture
def signals() -> Iterator[Signals]:
    before = signal.getsignal(signal.SIGTERM)
    signals = Signals()
    signals.install()
    yield signals
    signal.signal(signal.SIGTERM, before)
    signal.signal(signal.SIGINT, signal.default_int_handler)


async def _live(plane: FakeControlPlane, token_file: Path, mode: str, *, signals: Signals) -> int:
    settings = some_settings(
        token_file,
        callback_url=plane.url,
        driver="exec",
        driver_options={"command": [*CHILD, mode]},
        heartbeat_interval_s=0.1,
        leave_grace_s=0.6,
        termination_log=token_file.with_name("termination-log"),
    )
    plane.next_beat_s = 0.1
    return await asyncio.wait_for(main.run_bot(settings, signals=signals, redactor=Redactor([])), 10)


async def test_what_the_program_says_reaches_the_control_plane(
    control_plane: FakeControlPlane, token_file: Path, signals: Signals
) -> None:
    code = await _live(control_plane, token_file, "fail", signals=signals)
    assert code == 7
    assert control_plane.names()[0] == "started"
    assert control_plane.names()[-2:] == ["joined", "exited"]
    body = control_plane.of("exited")[0].body
    assert (body["exit_code"], body["reason"], body["detail"]) == (7, "post_join_setup_error", "No audio.")


async def test_a_leave_command_ends_the_program_and_counts_as_stopped(
    control_plane: FakeControlPlane, token_file: Path, signals: Signals
) -> None:
    control_plane.commands, control_plane.commands_on = [leave_command(42)], "heartbeat"
    assert await _live(control_plane, token_file, "stay", signals=signals) == 0
    assert control_plane.of("exited")[0].body["reason"] == "stopped"


async def test_a_program_that_refuses_to_leave_is_killed_and_the_end_reported(
    control_plane: FakeControlPlane, token_file: Path, signals: Signals
) -> None:
    living = asyncio.ensure_future(_live(control_plane, token_file, "refuse", signals=signals))
    while "joined" not in control_plane.names():  # noqa: ASYNC110 -- a program of its own says it
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await living == 0
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL, "The killed program may still end while the loop closes."
    assert control_plane.of("exited")[0].body["reason"] == "terminated"
