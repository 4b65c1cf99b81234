"""Mutants are tried by workers, each in a copy of the tree: the checkout itself is never touched."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from dev.machine.errors import DevError
from tests.mutants.lists import PACKAGES, Plan
from tests.mutants.mutant import Mutant
from tests.mutants.report import Result

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "build", ".faults", ".mypy_cache", ".hypothesis", ".cache")
CONTROLS, CONTROL_TESTS = 5, 20
SAY_EVERY = 20
OVERHEAD_S = 20.0
SLOWER_AT_MOST = 4.0


class Misled(DevError):
    """A mutant that changes nothing counted as killed, so nothing that the run says can be believed."""

    exit_code = 3


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A mutant, its tests, and how long it may take."""

    mutant: Mutant
    tests: Sequence[str]
    test_timeout_s: float
    within_s: float

    @classmethod
    def of(cls, mutant: Mutant, tests: Sequence[str], plan: Plan) -> "Trial":
        """The trial of a mutant as planned."""
        return cls(mutant=mutant, tests=tests, test_timeout_s=plan.test_timeout_s, within_s=plan.mutant_timeout_s)

    def order(self, *, control: bool) -> dict[str, Any]:
        """What a worker is told; a control changes nothing."""
        span = self.mutant.span
        place = {"start": 0, "end": 0, "new": ""} if control else {"start": span.start, "end": span.end}
        return {
            "path": self.mutant.path,
            "new": span.new.decode(),
            **place,
            "tests": list(self.tests),
            "test_timeout_s": self.test_timeout_s,
            "within_s": self.within_s,
        }


class Worker:
    """A process in a copy of the tree that tries one mutant after another."""

    def __init__(self, root: Path, copy: Path) -> None:
        shutil.copytree(root, copy, ignore=NOT_COPIED, symlinks=True)
        (copy / ".venv").symlink_to(root / ".venv")
        paths = os.pathsep.join(map(str, [copy, *(copy / Path(package).parent for package in PACKAGES)]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutants.worker"],
            cwd=copy,
            # Without bytecode each mutant compiles every module, for seconds.
            env=os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def attempt(self, trial: Trial, *, control: bool = False) -> Result:
        """Try one mutant. One whose tests could not be run counts as alive, and says why."""
        if not trial.tests:
            return Result(mutant=trial.mutant, killed=False, killer="", took_s=0.0, tests=0)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(trial.order(control=control)) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"verdict": "error", "killer": "the worker ended"}')
        return Result(
            mutant=trial.mutant,
            killed=answer["verdict"] == "killed",
            killer=answer["killer"],
            took_s=answer["took_s"],
            tests=len(trial.tests),
        )

    def close(self) -> None:
        """End the process, and with it what it tries."""
        self._process.terminate()
        self._process.wait()


def try_all(
    trials: list[Trial], *, root: Path, folder: Path, workers: int, say: Callable[[str], None]
) -> Iterator[Result]:
    """Try each mutant, after a few controls that change nothing; the results as they come. Raises Misled."""
    every = [Worker(root, folder / str(number)) for number in range(workers)]
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in every:
        free.put(worker)

    def attempt(trial: Trial, *, control: bool = False) -> Result:
        worker = free.get()
        try:
            return worker.attempt(trial, control=control)
        finally:
            free.put(worker)

    pool = ThreadPoolExecutor(workers)
    try:
        _check(list(pool.map(lambda trial: _control(attempt, trial), _controls(trials))))
        futures = [pool.submit(attempt, trial) for trial in trials]
        yield from _followed((future.result() for future in as_completed(futures)), len(trials), say)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in every:
            worker.close()


def _controls(trials: list[Trial]) -> list[Trial]:
    """A few trials, spread over the sample, each with its nearest tests."""
    tested = [trial for trial in trials if trial.tests]
    spread = tested[:: max(1, len(tested) // CONTROLS)][:CONTROLS]
    return [replace(trial, tests=trial.tests[:CONTROL_TESTS]) for trial in spread]


def _control(attempt: Callable[..., Result], trial: Trial) -> Result:
    """Tests with nothing changed. A test that fails once may do so on a busy machine; one that fails twice is red."""
    result = attempt(trial, control=True)
    return attempt(trial, control=True) if result.killer else result


def _check(results: list[Result]) -> None:
    for result in results:
        if result.killer:
            raise Misled(f"Without any change {result.killer} fails in the copy of the tree ({result.mutant.path}).")


def _followed(results: Iterable[Result], count: int, say: Callable[[str], None]) -> Iterator[Result]:
    alive = 0
    for done, result in enumerate(results, start=1):
        alive += not result.killed
        if not result.killed:
            say(f"SURVIVED {result.mutant} ({result.tests} tests, {result.took_s:.0f} s) {result.killer}")
        if done % SAY_EVERY == 0 or done == count:
            say(f"{done} of {count} tried, {alive} survived")
        yield result
