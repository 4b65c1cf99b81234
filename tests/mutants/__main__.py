"""`python -m tests.mutants`: change Usher in one small place at a time, and see whether a test notices."""

import argparse
import contextlib
import random
import shutil
import signal
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from dev.machine.errors import DevError
from dev.machine.progress import Progress
from tests.mutants import lists, measure, report
from tests.mutants.coverage_map import CoverageMap
from tests.mutants.mutant import Identity, Mutant
from tests.mutants.report import Outcome
from tests.mutants.trial import Trial, try_all

ROOT = measure.ROOT
BUILD = ROOT / "build" / "mutants"
RESULTS = BUILD / "results.json"
KEPT_MAPS = 3


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 0 if enough mutants were killed, 1 if not, 2 wrong usage, 3 the tree is not green."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    try:
        return _run(options, progress)
    except DevError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    plan = lists.plan()
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description="Change Usher in one small place at a time, and see whether a unit or integration test notices.",
        epilog="exit codes: 0 enough were killed, 1 not, 2 wrong usage, 3 the unchanged tree does not pass its tests",
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same mutants; default 1")
    parser.add_argument("--sample", type=int, default=plan.sample, help=f"how many are drawn; default {plan.sample}")
    parser.add_argument("--only", metavar="GLOB", help="draw from these files only, such as 'models/usher_models/db/*'")
    parser.add_argument("--again", action="store_true", help="try those that survived the last run, and no others")
    parser.add_argument("--go-on", action="store_true", help="leave out what the last run killed; for one broken off")
    parser.add_argument("--list", action="store_true", help="name the mutants and try none")
    parser.add_argument("--workers", type=int, default=2, help="how many are tried at once; default 2")
    return parser


def _run(options: argparse.Namespace, progress: Progress) -> int:
    plan, sources = lists.plan(), lists.sources(ROOT)
    mutants = lists.without_equivalents(lists.all_mutants(ROOT, plan.modules, sources))
    chosen = _chosen(options, mutants, lists.named(sources))
    if options.list:
        print("\n".join(map(str, chosen)))
        return 0
    known = report.read(RESULTS) if options.again or options.go_on else {}
    results = [known[each.identity].of(each) for each in chosen if options.go_on and _is_killed(known, each)]
    left = [each for each in chosen if not (options.go_on and _is_killed(known, each))]
    progress.say(f"{len(mutants)} mutants that may be drawn; {len(left)} are tried, seed {options.seed}")
    tests = CoverageMap.read(_measured(options.workers, progress), sources)
    trials = [Trial.of(mutant, tests.nearest(mutant, within_s=plan.tests_s), plan) for mutant in left]
    try:
        with tempfile.TemporaryDirectory(prefix="usher-mutants-", ignore_cleanup_errors=True) as folder:
            # One by one: a run that is broken off reports what it tried.
            for result in try_all(trials, root=ROOT, folder=Path(folder), workers=options.workers, say=progress.say):
                results.append(result)
    finally:
        report.write(RESULTS, results, known if options.again else {})
        print("\n".join(report.lines(results, plan)))
    return 0 if report.passes(results, plan) else 1


def _is_killed(known: dict[Identity, Outcome], mutant: Mutant) -> bool:
    return mutant.identity in known and known[mutant.identity].killed


def _chosen(options: argparse.Namespace, mutants: list[Mutant], named: list[Mutant]) -> list[Mutant]:
    if options.again:
        survivors = {identity for identity, outcome in report.read(RESULTS).items() if not outcome.killed}
        return [mutant for mutant in [*named, *mutants] if mutant.identity in survivors]
    drawn = [mutant for mutant in mutants if not options.only or fnmatch(mutant.path, options.only)]
    sample = random.Random(options.seed).sample(drawn, min(options.sample, len(drawn)))
    return [*named, *sample]


def _measured(workers: int, progress: Progress) -> Path:
    """Where it stands which tests run which lines: measured once for each state of the tree."""
    folder = BUILD / measure.fingerprint()
    if not (folder / "seconds.json").exists():
        with progress.step("running all tests on the unchanged tree, to see which lines they run", usually="5 min"):
            measure.measure(folder, workers=workers)
    for old in sorted(BUILD.glob("*/seconds.json"), key=lambda file: -file.stat().st_mtime)[KEPT_MAPS:]:
        shutil.rmtree(old.parent)
    return folder


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
