"""`python -m tests.faults.history FILE`: check a recorded history by itself."""

import argparse
import gc
import sys
import time
from pathlib import Path

from tests.faults.history import report
from tests.faults.history.format import NoHistory, write
from tests.faults.history.generate import generate


def main(arguments: list[str] | None = None) -> int:
    """0 if every promise was kept and every rule looked at something, 1 if not, 2 for a file that is no history."""
    options = _parser().parse_args(arguments)
    if options.generate:
        count = write(options.file, generate(options.seed, operations=options.generate))
        print(f"{options.file}: {count:,} lines of a history in which every promise is kept")
    # Millions of small objects, none of which is part of a cycle.
    gc.disable()
    try:
        return _check(options.file)
    finally:
        gc.enable()


def _check(file: Path) -> int:
    began, worked = time.monotonic(), time.process_time()
    try:
        verdict = report.judge(file)
    except NoHistory as exc:
        print(f"{file}: {exc}", file=sys.stderr)
        return 2
    report.say(verdict, print)
    took_s = time.monotonic() - began
    print(
        f"checked in {took_s:.1f} s, {time.process_time() - worked:.1f} s of CPU: {verdict.operations / took_s:,.0f}/s"
    )
    if verdict.idle:
        print(f"nothing to look at for: {', '.join(verdict.idle)}")
    return 1 if verdict.findings or verdict.idle else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.history",
        description="Decide from a recorded history alone whether every promise was kept.",
        epilog="exit codes: 0 kept, 1 an anomaly or a rule that looked at nothing, 2 no whole history or wrong usage",
    )
    parser.add_argument("file", type=Path, help="the history, as a fault run leaves it in .faults/history")
    parser.add_argument("--generate", type=int, metavar="N", help="write a history of about N operations there first")
    parser.add_argument("--seed", type=int, default=1, help="of --generate; default 1")
    return parser


if __name__ == "__main__":
    sys.exit(main())
