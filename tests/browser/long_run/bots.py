"""The bots of a long run: whole programs, each with what it cost and said."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.browser.program import Program

WITHHELD = b"heartbeat_withheld"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One bot's whole tree of processes at one moment. `cores` counts since the sample before."""

    at: float
    cores: float
    mib: float
    recorded: int


@dataclass
class Bot:
    """One bot under measurement."""

    program: Program
    recording: Path
    samples: list[Sample] = field(default_factory=list)
    _used: dict[int, float] = field(default_factory=dict)
    _looked_at: float = 0.0

    @property
    def participants(self) -> int | None:
        """What the newest heartbeat says."""
        beats = self.program.control_plane.of("heartbeat")
        return beats[-1].body.get("participants") if beats else None

    @property
    def withheld(self) -> int:
        """Heartbeats that the bot did not send because it took its page for dead."""
        return self.program.log.read_bytes().count(WITHHELD)

    @property
    def has_ended(self) -> bool:
        """True if the bot said that it ends, or its process is gone."""
        return self.program.is_over or bool(self.program.control_plane.of("exited"))

    def longest_gap_s(self) -> float:
        """The longest time between two heartbeats."""
        beats = [call.at for call in self.program.control_plane.of("heartbeat")]
        return max((later - earlier for earlier, later in itertools.pairwise(beats)), default=float("nan"))

    def sample(self) -> None:
        """Take a sample; the first one only begins the counting of CPU time."""
        now = time.monotonic()
        tree = list(_tree(self.program.process.pid))
        used = {process.pid: sum(process.cpu_times()[:2]) for process in tree}
        spent = sum(seconds - self._used.get(pid, 0.0) for pid, seconds in used.items())
        if self._looked_at:
            size = self.recording.stat().st_size if self.recording.exists() else 0
            took = now - self._looked_at
            self.samples.append(Sample(at=now, cores=spent / took, mib=_pss_mib(tree), recorded=size))
        self._used, self._looked_at = used, now


def _tree(pid: int) -> Iterator[psutil.Process]:
    """The process and everything below it that still runs."""
    try:
        top = psutil.Process(pid)
        for process in [top, *top.children(recursive=True)]:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process
    except psutil.NoSuchProcess:
        return


def _pss_mib(tree: list[psutil.Process]) -> float:
    """Memory without counting twice what processes share."""
    total = 0
    for process in tree:
        try:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total / 1024
