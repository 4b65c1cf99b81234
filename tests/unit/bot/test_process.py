"""The process: signals from its first moment, a termination message, and an exit code."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.bot.fake_control_plane import FakeControlPlane
from tests.unit.bot.harness import some_settings
from usher_bot import __main__, main
from usher_bot.process import Signals, exit_at_the_latest, write_termination_message
from usher_bot.redaction import Redactor

QUICK = {"boot_s": 0, "lobby_s": 0, "meeting_s": 0, "leave_s": 0}


@pytest.fixture
def signals() -> Iterator[Signals]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signals = Signals()
    signals.install()
    yield signals
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def exits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """The last resorts that were armed; none of them may end the tests."""
    armed: list[tuple[int, float]] = []
    monkeypatch.setattr(main, "exit_at_the_latest", lambda code, *, after_s: armed.append((code, after_s)))
    return armed


def test_a_signal_before_the_run_began_is_not_lost(signals: Signals) -> None:
    taken: list[str] = []
    os.kill(os.getpid(), signal.SIGTERM)
    signals.hand_to(lambda: taken.append("now"))
    assert taken == ["now"]


def test_a_signal_is_passed_on_until_the_end_is_decided(signals: Signals) -> None:
    taken: list[str] = []
    signals.hand_to(lambda: taken.append("now"))
    os.kill(os.getpid(), signal.SIGINT)
    signals.ignore()
    os.kill(os.getpid(), signal.SIGTERM)
    assert taken == ["now"]


def test_the_last_resort_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(threading.Timer, "start", lambda timer: started.append(timer))
    exit_at_the_latest(3, after_s=5)
    (timer,) = started
    assert timer.daemon
    assert (timer.interval, timer.function, timer.args) == (5, os._exit, (3,))


def test_the_termination_message_is_bounded(tmp_path: Path) -> None:
    write_termination_message(tmp_path / "log", "x" * 9000)
    assert len((tmp_path / "log").read_text()) == 4096


def test_an_unwritable_termination_log_is_no_error(tmp_path: Path) -> None:
    write_termination_message(tmp_path / "missing" / "log", "The meeting ended.")


async def test_a_run_leaves_an_exit_code_and_a_termination_message(
    control_plane: FakeControlPlane, token_file: Path, exits: list[tuple[int, float]]
) -> None:
    settings = some_settings(
        token_file,
        callback_url=control_plane.url,
        driver_options=QUICK | {"behaviour": "denied"},
        termination_log=token_file.with_name("termination-log"),
    )
    code = await main.run_bot(settings, signals=Signals(), redactor=Redactor([]))
    assert code == 2
    assert settings.termination_log.read_text() == "The bot was refused in the lobby."
    assert exits == [(2, main.SHUTDOWN_S)]


async def test_a_signal_ends_a_run(
    control_plane: FakeControlPlane, token_file: Path, signals: Signals, exits: list[tuple[int, float]]
) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    settings = some_settings(
        token_file, callback_url=control_plane.url, driver_options=QUICK | {"meeting_s": 99}, leave_grace_s=3
    )
    assert await main.run_bot(settings, signals=signals, redactor=Redactor([])) == 2
    assert control_plane.of("exited")[0].body["reason"] == "terminated"
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0)
    assert exits == [(1, 3 + main.TERMINATION_SLACK_S), (2, main.SHUTDOWN_S)]


async def test_a_defect_of_our_own_exits_with_1_and_is_logged(
    token_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def defect(*_: object, **__: object) -> None:
        raise AssertionError("A defect.")

    monkeypatch.setattr(main, "assemble", defect)
    settings = some_settings(token_file, termination_log=token_file.with_name("termination-log"))
    assert await main.run_bot(settings, signals=Signals(), redactor=Redactor([])) == 1
    assert settings.termination_log.read_text() == "The bot failed unexpectedly."
    assert any(record.levelno == logging.ERROR for record in caplog.records)


@pytest.mark.parametrize(("argument", "said"), [("--help", "USHER_"), ("--version", "usher-bot 0")])
def test_help_and_version_are_said_on_standard_output(
    argument: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], signals: Signals
) -> None:
    monkeypatch.setattr(sys, "argv", ["usher-bot", argument])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_wrong_settings_are_told_on_standard_error_with_exit_code_1(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], signals: Signals
) -> None:
    monkeypatch.setattr(sys, "argv", ["usher-bot", *arguments])
    monkeypatch.setenv("USHER_MEETING_ID", "x")
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 1
    assert "USHER_MEETING_ID is 'x'" in capsys.readouterr().err
