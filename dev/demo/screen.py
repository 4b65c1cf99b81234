"""What the demo shows: headings, the commands it runs, and lines of several sources as they come."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

BOLD, DIM, CYAN, END = ("\033[1m", "\033[2m", "\033[36m", "\033[0m") if sys.stdout.isatty() else ("", "", "", "")


def heading(text: str) -> None:
    """A new story."""
    print(f"\n{BOLD}== {text}{END}", flush=True)


def command(text: str) -> None:
    """A command that a person would type."""
    print(f"{CYAN}$ {text}{END}", flush=True)


def say(text: str) -> None:
    """What to look at."""
    print(f"{DIM}# {text}{END}", flush=True)


def show(text: str) -> None:
    """Output of a command."""
    print(text.rstrip(), flush=True)


@contextmanager
def streaming(process: "subprocess.Popen[str]", *, label: str) -> Iterator[None]:
    """Print a process's lines as they come, without repeats; end it on the way out."""
    printer = threading.Thread(target=_print_lines, args=(process, label), daemon=True)
    printer.start()
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)
        printer.join(timeout=10)


def _print_lines(process: "subprocess.Popen[str]", label: str) -> None:
    assert process.stdout is not None
    last = ""
    for line in process.stdout:
        if line.strip() and line != last:
            print(f"  {label}  {line.rstrip()}", flush=True)
        last = line
