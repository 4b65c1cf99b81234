"""The control run: all unit and integration tests on the unchanged tree, and which lines each of them runs."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from dev.machine.errors import DevError

ROOT = Path(__file__).resolve().parents[2]
TESTS = ("tests/unit", "tests/integration")
READ = ("models", "operator", "bot_runtime", "tests", "crds", "helm", "manifests", "docs", "pyproject.toml", "locks")
SECONDS = "USHER_TEST_SECONDS"


class NotGreen(DevError):
    """The unchanged tree does not pass its tests, so a failing test says nothing about a mutant."""

    exit_code = 3


def fingerprint(root: Path = ROOT) -> str:
    """What the tests and their subject are, as a name for what was measured of them."""
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *READ],
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout.split(b"\0")
    digest = hashlib.sha256()
    for name in sorted(filter(None, files)):
        path = root / os.fsdecode(name)
        if path.is_file() and "tests/mutants" not in str(path):
            digest.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def measure(folder: Path, *, workers: int) -> None:
    """Run all tests and leave `data` and `seconds.json` in a folder. Raises NotGreen."""
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.run(
        [sys.executable, "-m", "pytest", *TESTS, *_options(workers)],
        cwd=ROOT,
        env=os.environ | {"COVERAGE_FILE": str(folder / "data"), SECONDS: str(folder / "seconds.json")},
        stdout=sys.stderr,
    )
    if process.returncode != 0:
        (folder / "seconds.json").unlink(missing_ok=True)
        raise NotGreen("The unchanged tree does not pass its own tests; see above.")


def _options(workers: int) -> list[str]:
    return [
        "--quiet",
        "--no-header",
        *("--numprocesses", str(workers)),
        *("--timeout", "120"),
        *("-p", "tests.mutants.measure"),
        *("--cov", "--cov-report=", "--cov-context=test", "--cov-fail-under=0"),
    ]


def pytest_runtest_logreport(report: Any) -> None:
    """As a pytest plugin: note how long each test took."""
    _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.duration


def pytest_sessionfinish() -> None:
    """Write that down, in the process that hears of all tests."""
    if SECONDS in os.environ and "PYTEST_XDIST_WORKER" not in os.environ:
        Path(os.environ[SECONDS]).write_text(json.dumps(_seconds))


_seconds: dict[str, float] = {}
