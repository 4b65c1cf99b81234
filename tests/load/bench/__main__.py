"""`python -m tests.load.bench`: run the benchmarks and print the table, or with --profile what the time goes into.

With --write into docs/evidence/performance.md or docs/evidence/profiles.md, between the marks there.
"""

import argparse
import gc
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop

from dev.cluster.binaries import kubernetes_version
from dev.machine.errors import DevError
from dev.machine.progress import Progress
from tests.load import evidence
from tests.load.bench import (
    bot_start,
    command_latency,
    figures,
    growth,
    heartbeats,
    jobs,
    requests,
    reservations,
    restart,
    sweep,
)
from tests.load.bench.figures import Figure
from tests.load.bench.harness import Harness, up
from tests.load.bench.profiles import Profiler
from usher_operator.cli.runner import COLLECT_AFTER

Benchmark = Callable[[Harness, dict[str, Any]], Awaitable[list[Figure]]]
# In this order: an operator must not find what the other benchmarks left.
BENCHMARKS: dict[str, Benchmark] = {
    "bot_start": bot_start.run,
    "jobs": jobs.run,
    "growth": growth.run,
    "requests": requests.run,
    "restart": restart.run,
    "heartbeats": heartbeats.run,
    "commands": command_latency.run,
    "sweep": sweep.run,
    "reservations": reservations.run,
}
SAMPLES = Path("build") / "profiles"
BROWSER_COST = (
    "What a bot with a browser costs is measured in a pod of the local cluster, by `make browser-cost`: see "
    "[Browser bots](browser.md)."
)
LIBRARIES = ("aiohttp", "kopf", "kubernetes", "psycopg", "pydantic", "redis", "sqlalchemy")


def main(arguments: list[str] | None = None) -> int:
    """0 if every bound was kept but those that are known to be missed, 1 if not, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small selection of `make test`, against its margins")
    parser.add_argument("--only", choices=BENCHMARKS, action="append", help="run this one; may be repeated")
    parser.add_argument("--profile", action="store_true", help="sample Usher with py-spy and print what it does most")
    parser.add_argument("--write", action="store_true", help="write the page in docs")
    options = parser.parse_args(arguments)
    profile = "profile" if options.profile else "quick" if options.quick else "full"
    began = time.monotonic()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        lines, missed, failed = uvloop.run(_run(profile, options.only, profiled=options.profile))
    except DevError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    lines.append(f"\nMeasured in {time.monotonic() - began:.0f} s.")
    print("\n".join(lines))
    if options.write:
        evidence.write("profiles.md" if options.profile else "performance.md", lines)
    return _verdict([] if options.profile else missed, failed, known=figures.known_misses(profile))


def _verdict(missed: list[str], failed: list[str], *, known: Mapping[str, str]) -> int:
    """Say what was missed; 1 if any of it is news."""
    for name in missed:
        why = f", which is known: {known[name]}" if name in known else ""
        print(f"bench: missed: {name}{why}", file=sys.stderr)
    for name in failed:
        print(f"bench: not measured: {name}", file=sys.stderr)
    return 1 if failed or set(missed) - set(known) else 0


async def _run(profile: str, only: list[str] | None, *, profiled: bool) -> tuple[list[str], list[str], list[str]]:
    """The lines to print, the bounds that were missed, and the benchmarks that broke."""
    load, held_to, progress = figures.load(profile), figures.bounds(profile), Progress()
    load["requests"] |= {name: load[name] for name in ("lasting", "burst") if name in load}
    found: list[Figure] = []
    failed: list[str] = []
    ran: list[str] = []
    with tempfile.TemporaryDirectory(prefix="usher-bench-") as folder:
        profiler = Profiler.in_a_clean(SAMPLES) if profiled else None
        async with up(folder=Path(folder), progress=progress, profiler=profiler) as harness:
            for name, benchmark in BENCHMARKS.items():
                if (only and name not in only) or name not in load:
                    continue
                progress.say(f"measuring {name}")
                try:
                    found += await benchmark(harness, load[name])
                    ran.append(name)
                except Exception as exc:
                    # The others' figures are worth having; this one's absence is an error all the same.
                    progress.say(f"{name} failed: {type(exc).__name__}: {exc}")
                    failed.append(f"{name} ({type(exc).__name__}: {exc})")
                    if os.environ.get("USHER_BENCH_RAISE"):
                        raise
        # No figure means anything under a profiler, which costs half the speed.
        table = profiler.tables() if profiler else figures.table(found, held_to)
    lines = [_machine(), "", *table, "", *_shares(harness)]
    lines += [f"\nNot measured: {name}" for name in failed]
    lines.append(f"\n{BROWSER_COST}")
    return lines, figures.misses(found, held_to, ran=ran), failed


def _machine() -> str:
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    return evidence.machine(f"Kubernetes {kubernetes_version()}", *libraries)


def _shares(harness: Harness) -> list[str]:
    rows = ["Cores that each process used meanwhile:", "", "| benchmark | cores |", "|---|---|"]
    for benchmark, shares in harness.cpu.items():
        listed = sorted(shares.items(), key=lambda item: -item[1])
        rows.append(f"| {benchmark} | {', '.join(f'{name} {share:.2f}' for name, share in listed)} |")
    return rows


if __name__ == "__main__":
    sys.exit(main())
