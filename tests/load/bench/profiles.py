"""What the processes did under a profiler: the ten functions that took the longest themselves."""

import pstats
from pathlib import Path

TOP = 10
# Waiting is no work.
IDLE = ("'poll' of 'select.epoll'", "'acquire' of '_thread.lock'")


def profile_of(folder: Path) -> list[str]:
    """A Markdown table for each process that left a profile."""
    lines = []
    for number, path in enumerate(sorted(folder.glob("*.prof"), key=lambda path: path.stat().st_mtime), 1):
        stats = pstats.Stats(str(path)).get_stats_profile()
        busy = {name: one for name, one in stats.func_profiles.items() if not any(idle in name for idle in IDLE)}
        total = sum(one.tottime for one in busy.values())
        lines += [f"\n### {number}. usher {path.name.partition('-')[0]}", "", f"{total:.1f} s of work.", ""]
        lines += ["| share | calls | function |", "|---|---|---|"]
        for name, one in sorted(busy.items(), key=lambda item: -item[1].tottime)[:TOP]:
            where = f"{_short(one.file_name)}:{one.line_number}" if one.line_number else "built in"
            lines.append(f"| {one.tottime / total:.1%} | {one.ncalls} | `{name}` ({where}) |")
    return lines


def _short(path: str) -> str:
    return path.partition("site-packages/")[2] or "/".join(Path(path).parts[-2:])
