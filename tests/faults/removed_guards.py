"""Each guard is taken out of production code, one at a time, and a test must fail for it.

A test that passes without its guard proves nothing, and neither does one that fails with it: each guard's tests are run
with the guard in place first. This run writes the table in `docs/evidence/guards.md`.
"""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.faults import page
from tests.faults._guard_removal import GUARDS, Guard
from tests.faults.figures import Figure, Scale, at_least, exactly

ROOT = Path(__file__).resolve().parents[2]
PAGE, TABLE = "evidence/guards.md", "removed guards"
QUICK = ("pod_fence", "outage_credit")
TESTS_PASSED, TESTS_FAILED = 0, 1
NO_GUARD = ""


async def run(scale: Scale) -> list[Figure]:
    """Break one guard after another; those that no test caught are named."""
    guards = [guard for guard in GUARDS if not scale.quick or guard.name in QUICK]
    caught: dict[str, str] = {}
    red = 0
    for guard in guards:
        if not await _passes_with(guard):
            scale.say(f"{guard.name}: ITS TESTS FAIL WITH IT IN PLACE")
            red += 1
            continue
        failed = await _first_failure(guard)
        scale.say(f"{guard.name}: {failed or 'NO TEST CAUGHT IT'}")
        if failed:
            caught[guard.name] = failed
    if len(caught) == len(GUARDS):
        _write(caught)
    return [
        at_least("guards taken out", len(guards), 1),
        exactly("guards whose tests fail with the guard in place", red, 0),
        exactly("guards whose absence no test caught", len(guards) - red - len(caught), 0),
    ]


async def _passes_with(guard: Guard) -> bool:
    """The control: the same tests, and nothing is taken out."""
    code, _ = await _pytest(guard, removed=NO_GUARD)
    return code == TESTS_PASSED


async def _first_failure(guard: Guard) -> str:
    """The first test that fails without the guard; empty when none does, or when the tests could not be run."""
    code, said = await _pytest(guard, removed=guard.name)
    found = re.search(r"^FAILED (\S+?)::(\w+)", said, flags=re.MULTILINE)
    return f"{found[1]}::{found[2]}" if code == TESTS_FAILED and found else ""


async def _pytest(guard: Guard, *, removed: str) -> tuple[int, str]:
    """Run a guard's tests; the exit code, and what was said."""
    words = [
        "-m",
        "pytest",
        guard.test,
        "-x",
        "-q",
        "-p",
        "tests.faults._guard_removal",
        "-p",
        "no:cacheprovider",
        "-n0",
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        *(["-k", guard.only] if guard.only else []),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "USHER_REMOVED_GUARD": removed},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


def _write(caught: dict[str, str]) -> None:
    lines = ["| guard taken out | what it does | the test that catches it |", "|---|---|---|"]
    lines += [f"| `{guard.name}` | {guard.does} | `{caught[guard.name]}` |" for guard in GUARDS]
    page.write(PAGE, TABLE, "\n".join(lines))
