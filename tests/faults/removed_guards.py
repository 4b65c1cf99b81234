"""Each guard is taken out of production code, one at a time, and a test must fail for it.

A test that passes without its guard proves nothing. This run writes the table in `docs/evidence/guards.md`.
"""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.faults import page
from tests.faults._guard_removal import GUARDS, Guard
from tests.faults.figures import Figure, Scale, exactly

ROOT = Path(__file__).resolve().parents[2]
PAGE, TABLE = "evidence/guards.md", "removed guards"
QUICK = ("pod_fence", "outage_credit")
TESTS_FAILED = 1


async def run(scale: Scale) -> list[Figure]:
    """Break one guard after another; those that no test caught are named."""
    guards = [guard for guard in GUARDS if not scale.quick or guard.name in QUICK]
    caught: dict[str, str] = {}
    for guard in guards:
        failed = await _first_failure(guard)
        scale.say(f"{guard.name}: {failed or 'NO TEST CAUGHT IT'}")
        if failed:
            caught[guard.name] = failed
    if len(caught) == len(GUARDS):
        _write(caught)
    return [exactly("guards whose absence no test caught", len(guards) - len(caught), 0)]


async def _first_failure(guard: Guard) -> str:
    """The first test that fails without the guard; empty when none does, or when the tests could not be run."""
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
        env=os.environ | {"PYTHONPATH": str(ROOT), "USHER_REMOVED_GUARD": guard.name},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    found = re.search(r"^FAILED (\S+?)::(\w+)", said.decode(), flags=re.MULTILINE)
    return f"{found[1]}::{found[2]}" if process.returncode == TESTS_FAILED and found else ""


def _write(caught: dict[str, str]) -> None:
    lines = ["| guard taken out | what it does | the test that catches it |", "|---|---|---|"]
    lines += [f"| `{guard.name}` | {guard.does} | `{caught[guard.name]}` |" for guard in GUARDS]
    page.write(PAGE, TABLE, "\n".join(lines))
