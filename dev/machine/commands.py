"""Running other programs to their end, with their words kept for the error message.

No object lives here: a call begins a program and outlives it.
"""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.machine.errors import DevError

TAIL_LINES = 8
TAIL_WIDTH = 240


def tail(text: str, *, lines: int = TAIL_LINES) -> str:
    """The last lines of a text, indented, for the end of an error message."""
    return "\n".join(f"    {line[:TAIL_WIDTH]}" for line in text.strip().splitlines()[-lines:])


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout_s: float | None = None,
) -> str:
    """Run a program and return its standard output; a failure becomes a DevError with its last words."""
    done = attempt(argv, env=env, cwd=cwd, stdin=stdin, timeout_s=timeout_s)
    if done.returncode != 0:
        words = tail(done.stderr or done.stdout)
        raise DevError(f"`{' '.join(argv[:6])}` failed with exit code {done.returncode}:\n{words}")
    return done.stdout


def attempt(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program whose failure is an answer too."""
    try:
        return subprocess.run(
            argv, env=env, cwd=cwd, input=stdin or "", timeout=timeout_s, check=False, capture_output=True, text=True
        )
    except FileNotFoundError as absent:
        raise DevError(f"The program {absent.filename} is not here; install it, or put it on PATH.") from absent
    except subprocess.TimeoutExpired as late:
        raise DevError(f"`{' '.join(argv[:6])}` did not end within {timeout_s:.0f} s.") from late


def run_logged(
    argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Run a long program with its words in a log file; a failure becomes a DevError with the log's end."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as words:
        try:
            done = subprocess.run(
                argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=words, stderr=words, check=False
            )
        except FileNotFoundError as absent:
            raise DevError(f"The program {absent.filename} is not here; install it, or put it on PATH.") from absent
    if done.returncode != 0:
        end = tail(log.read_text(errors="replace"))
        raise DevError(f"`{' '.join(argv[:6])}` failed with exit code {done.returncode}, see {log}:\n{end}")
