"""What `operate` and `serve` spend their time on under a load, sampled from outside by py-spy.

A sample is the stack of a thread that works; one that waits is no sample. What is inside of something else counts in
both.
"""

import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Self

from tests.load.plane import UsherProcess

RATE = 100  # samples per second
TOP = 12
# A function that does so much of what it does by one other is only the way to that.
WAY_IN = 0.9
ENDS_WITHIN_S = 30.0
# What has no frame of its own below the one that started it.
LOOP = ("Runner.run", "asyncio/runners.py")
# Of Usher's own these only wait for others, in every stack.
ROOTS = ("runner.py", "main.py", "operate.py", "serve.py", "server.py")


@dataclass(frozen=True, kw_only=True)
class Profiler:
    """Keeps its samples in a folder, a file for each benchmark and process."""

    folder: Path

    @classmethod
    def in_a_clean(cls, folder: Path) -> Self:
        """A profiler whose folder holds nothing older."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return cls(folder=folder)

    @contextmanager
    def sampling(self, benchmark: str, *processes: UsherProcess) -> Iterator[None]:
        """Sample those processes for as long as the context lasts."""
        with ExitStack() as stack:
            for one in processes:
                name = f"{one.command} during {benchmark}.raw".replace("/", "")
                stack.enter_context(_sampled(one.pid, self.folder / name))
            yield

    def tables(self) -> list[str]:
        """Two Markdown tables for each file: whose code ran, and for which of Usher's functions."""
        lines: list[str] = []
        for path in sorted(self.folder.glob("*.raw"), key=lambda path: path.stat().st_mtime):
            samples = _read(path)
            total = sum(samples.values())
            if total:
                lines += ["", f"### {path.stem}", "", f"{total} samples at {RATE} a second.", ""]
                lines += _table("whose code ran", _leaves(samples), total)
                lines += ["", *_table("on behalf of", _functions(samples), total)]
        return lines


Samples = Counter[tuple[str, ...]]


@contextmanager
def _sampled(pid: int, path: Path) -> Iterator[None]:
    program = str(Path(sys.executable).with_name("py-spy"))
    argv = [program, "record", "--pid", str(pid), "--rate", str(RATE), "--duration", "3600", "--format", "raw"]
    recording = subprocess.Popen([*argv, "--output", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        recording.send_signal(signal.SIGINT)
        recording.wait(ENDS_WITHIN_S)
    if not path.exists():
        raise RuntimeError(f"py-spy took no samples into {path}.")


def _read(path: Path) -> Samples:
    """Stacks, the outermost frame first, and how often each was seen."""
    samples: Samples = Counter()
    for line in path.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = tuple(frame.rpartition(":")[0] + ")" if ":" in frame else frame for frame in stack.split(";"))
        # A pool's threads wait for work.
        if not any(frame.startswith("_worker (concurrent/") for frame in frames):
            samples[frames] += int(count)
    return samples


def _leaves(samples: Samples) -> Counter[str]:
    found: Counter[str] = Counter()
    for stack, count in samples.items():
        found[_owner(stack[-1])] += count
    return found


def _owner(frame: str) -> str:
    """The library a frame belongs to; what is written in C counts for whoever called it."""
    function, _, path = frame.partition(" (")
    path = path.rstrip(")")
    first = path.partition("/")[0]
    if path.startswith(("usher_", "operator/usher_", "models/usher_")):
        return "Usher"
    if (function, path) == LOOP:
        return "the event loop itself"
    if path == "<string>":
        return "Python's dataclasses"  # the code that they write
    own = first.removesuffix(".py").removeprefix("<frozen ").rstrip(">")
    if own in sys.stdlib_module_names:
        return f"Python's {own}"
    return first or "no frame of Python"


def _functions(samples: Samples) -> Counter[str]:
    """Usher's functions, but for those that are only the way to another of them."""
    found: Counter[str] = Counter()
    within: Counter[tuple[str, str]] = Counter()
    for stack, count in samples.items():
        ours = dict.fromkeys(_ours(stack))
        for frame in ours:
            found[frame] += count
        for pair in combinations(ours, 2):
            within[pair] += count
    for (outer, _), count in within.items():
        if count >= WAY_IN * found[outer]:
            found[outer] = 0
    return +found


def _ours(stack: tuple[str, ...]) -> Iterator[str]:
    for frame in stack:
        if _owner(frame) == "Usher" and not frame.rstrip(")").endswith(ROOTS):
            function, _, where = frame.partition(" (")
            yield f"`{function}` ({where}"


def _table(title: str, counts: Counter[str], total: int) -> list[str]:
    lines = [f"| {title} | share |", "|---|---:|"]
    return lines + [f"| {name} | {count / total:.0%} |" for name, count in counts.most_common(TOP)]
