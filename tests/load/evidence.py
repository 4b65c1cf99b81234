"""Pages of docs/evidence that a command writes: the machine it ran on, and the part between two marks."""

import os
import platform
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "evidence"


def machine(*versions: str) -> str:
    """One line: when, on what, and with which versions of what matters."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {os.cpu_count()} cores ({_model()}), {memory:.0f} GiB, "
        f"load average {os.getloadavg()[0]:.1f} at the end; "
        f"{', '.join([f'Python {platform.python_version()}', *versions])}."
    )


def write(page: str, lines: list[str], *, part: str = "figures") -> None:
    """Replace one part of a page, between `<!-- PART: begin -->` and `<!-- PART: end -->`."""
    path = FOLDER / page
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    text = path.read_text()
    before, after = text.partition(begin)[0], text.partition(end)[2]
    path.write_text("\n".join([before + begin, *lines, end]) + after)


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
