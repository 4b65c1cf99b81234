"""What both stores and cluster need: the lock, packages, commands and progress lines."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dev.machine import commands, debian
from dev.machine.errors import DevError, MisuseError
from dev.machine.locking import exclusive
from dev.machine.progress import Progress

HOLDER = """
import sys, time
from pathlib import Path
from dev.machine.locking import exclusive
from dev.machine.progress import Progress
with exclusive(Path(sys.argv[1]), progress=Progress()):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
REPOSITORY = Path(__file__).resolve().parents[3]


def holder(lock: Path, *, for_s: float) -> "subprocess.Popen[str]":
    environment = {"PYTHONPATH": str(REPOSITORY)}
    argv = [sys.executable, "-c", HOLDER, str(lock), str(for_s)]
    held = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment)
    assert held.stdout is not None
    assert held.stdout.readline() == "held\n"
    return held


def test_a_second_holder_waits_and_says_for_whom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "lock"
    with holder(lock, for_s=0.2) as first, exclusive(lock, progress=Progress()):
        assert first.wait() == 0
    assert f"pid {first.pid}" in capsys.readouterr().err


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with holder(lock, for_s=60) as first:
        first.kill()
        first.wait()
    with exclusive(lock, progress=Progress()):
        pass


def test_a_failed_command_becomes_a_sentence_with_its_last_words() -> None:
    with pytest.raises(DevError, match=r"exit code 3(.|\n)*no such disk"):
        commands.run([sys.executable, "-c", "import sys; print('no such disk', file=sys.stderr); sys.exit(3)"])


def test_a_missing_program_is_named() -> None:
    with pytest.raises(DevError, match="no-such-program"):
        commands.run(["no-such-program"])


def test_a_logged_command_keeps_its_words(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "x.log"
    with pytest.raises(DevError, match=r"see .*x\.log"):
        commands.run_logged([sys.executable, "-c", "print('words'); exit(1)"], log=log)
    assert log.read_text() == "words\n"


def test_the_tail_is_short_in_both_directions() -> None:
    text = "\n".join([*map(str, range(100)), "x" * 1000])
    lines = commands.tail(text).splitlines()
    assert len(lines) == commands.TAIL_LINES
    assert max(map(len, lines)) <= commands.TAIL_WIDTH + 4


def test_missing_packages_are_named_to_a_person_who_is_not_root(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(debian, "missing", lambda packages: list(packages))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(DevError, match="apt-get install runc"):
        debian.ensure(["runc"], log=tmp_path / "log", progress=Progress())


def test_a_step_beats_while_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(heartbeat_s=0.01).step("building", usually="1 min"):
        time.sleep(0.1)
    printed = capsys.readouterr().err
    assert "building (usually 1 min)" in printed
    assert "building: still at it" in printed
    assert "building: done in" in printed


def test_misuse_and_failure_have_different_exit_codes() -> None:
    assert (DevError.exit_code, MisuseError.exit_code) == (1, 2)
