"""Processes are found by what they are: never by a number that may mean a stranger."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.machine import processes, waiting
from dev.machine.errors import DevError
from dev.machine.processes import Process

SLEEPER = "import signal, sys, time; {setup}; print('ready', flush=True); time.sleep(60)"


def sleeper(folder: Path, *, setup: str = "pass", name: str = "sleeper") -> Process:
    argv = (sys.executable, "-c", SLEEPER.format(setup=setup), f"{folder}/{name}")
    return Process(name=name, argv=argv, marker=f"{folder}/{name}", log=folder / f"{name}.log")


def started(process: Process) -> Process:
    processes.start(process)
    is_ready = lambda: process.log.exists() and "ready" in process.log.read_text()  # noqa: E731
    waiting.until(is_ready, timeout_s=1.5, every_s=0.01, otherwise="The sleeper did not start.")
    return process


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Process]:
    process = started(sleeper(tmp_path))
    yield process
    processes.stop(process, kill=True)


def test_a_started_process_is_found_and_leads_a_session_of_its_own(running: Process) -> None:
    found = processes.find(running)
    assert found is not None
    assert os.getsid(found.pid) == found.pid
    assert 0 <= found.age_s < 5


def test_starting_twice_starts_once(running: Process) -> None:
    processes.start(running)
    assert len(processes.find_all(running.argv[0], marker=running.marker)) == 1


def test_a_process_with_another_marker_is_a_stranger(running: Process, tmp_path: Path) -> None:
    stranger = sleeper(tmp_path, name="stranger")
    processes.stop(stranger, kill=True)
    assert processes.find(stranger) is None
    assert processes.find(running) is not None


def test_a_process_is_found_even_when_its_program_has_moved(running: Process) -> None:
    elsewhere = f"/elsewhere/{Path(running.argv[0]).name}"
    assert processes.find_all(elsewhere, marker=running.marker)


def test_other_arguments_are_outdated(running: Process) -> None:
    newer = Process(name="s", argv=(*running.argv, "--new"), marker=running.marker, log=running.log)
    assert not processes.is_outdated(running)
    assert processes.is_outdated(newer)


def test_stop_ends_a_process_that_ignores_being_asked(tmp_path: Path) -> None:
    stubborn = started(sleeper(tmp_path, setup="signal.signal(signal.SIGTERM, signal.SIG_IGN)"))
    processes.stop(stubborn, grace_s=0.1)
    assert processes.find(stubborn) is None


def test_stopping_what_does_not_run_is_no_error(tmp_path: Path) -> None:
    processes.stop(sleeper(tmp_path))


def test_waiting_ends_early_when_the_process_dies_and_tells_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "dead.log"
    log.write_text("the disk is full\n")
    dead = Process(name="dead", argv=("dead", "x"), marker=str(tmp_path), log=log)
    began = time.monotonic()
    with pytest.raises(DevError, match="the disk is full"):
        waiting.until(lambda: False, timeout_s=60, otherwise="It is not up.", while_running=dead)
    assert time.monotonic() - began < 1.8


def test_a_log_over_the_limit_is_set_aside(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("long")
    processes.rotate(log, limit=3)
    assert not log.exists()
    assert (tmp_path / "x.log.1").read_text() == "long"


def test_a_child_of_ours_that_died_is_not_found(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass", str(tmp_path)])
    child.wait()
    assert processes.find_all(sys.executable, marker=str(tmp_path)) == []
