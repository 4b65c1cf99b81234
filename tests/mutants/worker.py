"""Tries mutants in a copy of the tree: reads one a line from standard input, answers with one a line.

Everything that is not Usher's is imported once. Each mutant is written into the copy, a fork of this process runs its
tests until one fails, and the file is put back. Whatever the tests started and left behind ends with them.
"""

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

PRELOADED = (
    "aiohttp.web",
    "alembic.command",
    "hypothesis",
    "jwt",
    "kopf",
    "kubernetes.aio.client",
    "orjson",
    "prometheus_client",
    "psycopg",
    "pydantic_settings",
    "pytest_asyncio",
    "redis.asyncio",
    "rich.console",
    "sqlalchemy.ext.asyncio",
    "tenacity",
    "typer",
    "yaml",
)
_OPTIONS = (
    *("-x", "-q", "--no-header", "--tb=short"),
    *("-p", "no:cacheprovider"),
    # Its plugins were imported before it, once for all mutants.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
MEMORY_MAX_BYTES = 6 * 2**30
# See prctl(2): be the parent of what is orphaned below; end with the parent.
SET_CHILD_SUBREAPER, SET_PDEATHSIG = 36, 1
POLL_S = 0.02
FEW = 6


class FirstFailure:
    """A pytest plugin that remembers which test failed first."""

    def __init__(self) -> None:
        self.test = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.test:
            self.test = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.test:
            self.test = f"{report.nodeid} (is not even collected)"


def main() -> None:
    """Answer until the input ends."""
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for module in PRELOADED:
        importlib.import_module(module)
    moment = int(time.time())
    for line in sys.stdin:
        moment += 2
        order = json.loads(line)
        print(json.dumps(_try(order, moment=moment)), flush=True)


def _try(order: dict[str, Any], *, moment: int) -> dict[str, Any]:
    path, began = Path(order["path"]), time.monotonic()
    original, stat = path.read_bytes(), path.stat()
    mutated = original[: order["start"]] + order["new"].encode() + original[order["end"] :]
    try:
        path.write_bytes(mutated)
        # Compiled code is found by size and second of the last change, and most mutants are as long as the original.
        os.utime(path, (moment, moment))
        verdict, killer = _in_parts(order)
    finally:
        path.write_bytes(original)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return {"verdict": verdict, "killer": killer, "took_s": time.monotonic() - began}


def _in_parts(order: dict[str, Any]) -> tuple[str, str]:
    """Run the nearest few tests, which are soon collected and mostly enough, and then the rest."""
    verdict, killer = "survived", ""
    for part in (order["tests"][:FEW], order["tests"][FEW:]):
        if part and verdict == "survived":
            verdict, killer = _fork(part, order["test_timeout_s"], within_s=order["within_s"])
    return verdict, killer


def _fork(tests: list[str], test_timeout_s: float, *, within_s: float) -> tuple[str, str]:
    said = Path("build") / f"mutant-{os.getpid()}.txt"
    said.parent.mkdir(exist_ok=True)
    said.write_text("")
    child = os.fork()
    if child == 0:
        _run(tests, test_timeout_s, said)
    try:
        status = _wait(child, within_s)
    finally:
        _end_the_rest()
    killer = said.read_text()
    if status is None:
        return "killed", "did not end in time"
    match os.waitstatus_to_exitcode(status):
        case 0:
            return "survived", ""
        case 1 | 2 | 3 if killer:
            return "killed", killer
        case 1:
            return "killed", "a test that did not end in time"
        case 4:
            return "killed", "what the tests share cannot be imported"
        case code if code < 0:
            return "killed", f"signal {-code}"
        case code:
            return "error", f"pytest ended with {code}"


def _wait(child: int, within_s: float) -> int | None:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(POLL_S)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _end_the_rest() -> None:
    """Kill what the tests left behind: as a subreaper this process is the parent of all of it."""
    for left in psutil.Process().children(recursive=True):
        try:
            left.kill()
            left.wait(timeout=5)
        except psutil.Error:
            continue


def _run(tests: Iterable[str], test_timeout_s: float, said: Path) -> None:
    """Run the tests in this forked process, and end it."""
    try:
        import pytest

        ctypes.CDLL(None).prctl(SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        output = os.open(os.devnull if "USHER_MUTANTS_SHOW" not in os.environ else "/dev/stderr", os.O_WRONLY)
        os.dup2(output, 1)
        os.dup2(output, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
        failure = FirstFailure()
        code = int(pytest.main([*_OPTIONS, "--timeout", str(test_timeout_s), *tests], plugins=[failure]))
        said.write_text(failure.test)
    except BaseException:
        traceback.print_exc()
        code = 70
    os._exit(code)


if __name__ == "__main__":
    main()
