"""Which Python to run on: the first candidate that starts and is new enough.

A name on PATH is not enough: a version manager's shim is there for every version that it knows, and fails for all but
the chosen one. So each candidate is asked for its version.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OLDEST = (3, 12)
NEWEST = (3, 14)
PREFERRED = (3, 13)  # what the images run on
ASKING = "import sys, ssl, sqlite3, venv; print(*sys.version_info[:2], sys.executable)"


def find() -> "Path | None":
    """The machine's own Python that fits, or None."""
    return next((found for candidate in candidates() if (found := accepted(candidate))), None)


def candidates() -> Iterator[str]:
    """Where a fitting Python may be, in the order of preference."""
    yield sys.executable
    names = [f"python{major}.{minor}" for major, minor in versions()]
    yield from (path for name in ["python3", *names] if (path := shutil.which(name)))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for major, minor in versions():
        yield from map(str, sorted(pyenv.glob(f"{major}.{minor}.*/bin/python3"), reverse=True))


def versions() -> "list[tuple[int, int]]":
    """The versions that are tested, the preferred one first."""
    tested = [(3, minor) for minor in range(OLDEST[1], NEWEST[1] + 1)]
    return sorted(tested, key=lambda version: (version != PREFERRED, [-part for part in version]))


def accepted(candidate: str) -> "Path | None":
    """The program itself if it starts and is new enough."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        asked = subprocess.run(
            [candidate, "-c", ASKING], env=environment, capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = re.fullmatch(r"(\d+) (\d+) (.+)\n", asked.stdout)
    if asked.returncode != 0 or said is None or (int(said[1]), int(said[2])) not in versions():
        return None
    return Path(said[3])
