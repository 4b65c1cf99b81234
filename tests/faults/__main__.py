"""`python -m tests.faults`: every fault run, or some, and one table of what they measured."""

import argparse
import contextlib
import gc
import importlib
import inspect
import json
import pkgutil
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from dev.machine.progress import Progress
from tests.faults.figures import Figure, Scale
from usher_operator.cli.runner import COLLECT_AFTER

RESULTS = Path(".faults") / "figures.json"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One fault run: its module's name, its first sentence, and its function."""

    name: str
    does: str
    function: Callable[[Scale], Coroutine[Any, Any, list[Figure]]]
    long: bool
    """Whether it takes as long as many others, and is run only when it is asked for by its name."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one run; `error` when it did not come to its end."""

    name: str
    took_s: float
    figures: list[Figure]
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether it ended, measured something, and every figure keeps its bound."""
        return not self.error and bool(self.figures) and all(figure.ok for figure in self.figures)


def runs() -> dict[str, Run]:
    """Every module of this package that can be run, by its name."""
    found: dict[str, Run] = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"tests.faults.{module.name}")
        function = vars(loaded).get("run")
        if inspect.iscoroutinefunction(function) and function.__module__ == loaded.__name__:
            does = (loaded.__doc__ or "").strip().partition("\n")[0]
            long = bool(vars(loaded).get("LONG"))
            found[module.name] = Run(name=module.name, does=does, function=function, long=long)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 0 when every figure keeps its bound, 1 when not, 2 for wrong usage."""
    known = runs()
    options = _parser(known).parse_args(arguments)
    progress = Progress()
    progress.say(f"seed {options.seed}")
    chosen = [known[name] for name in options.only or known if options.only or not known[name].long]
    options.json.parent.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    # The loop and the garbage collector are set as in `serve` and `operate`: bots and callbacks by the thousand.
    gc.set_threshold(*COLLECT_AFTER)
    try:
        for run in chosen:
            outcomes.append(_execute(run, options, progress=progress))
            options.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1) + "\n")
    finally:
        # Also of what was broken off: an hour's figures are not lost with the last minute's.
        _print(outcomes)
    progress.say(f"the figures are in {options.json}")
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _parser(known: dict[str, Run]) -> argparse.ArgumentParser:
    width = max(map(len, known), default=0)
    listed = "\n".join(
        f"  {run.name:{width}}  {run.does}{' (only when named)' if run.long else ''}" for run in known.values()
    )
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description="Break what Usher stands on, and measure what becomes of its promises.",
        epilog=f"runs:\n{listed}\n\nexit codes: 0 every figure keeps its bound, 1 not, 2 wrong usage",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", action="append", choices=known, metavar="NAME", help="this run; may be repeated")
    parser.add_argument("--seed", type=int, default=1, help="the same seed is the same run; default 1")
    parser.add_argument("--minutes", type=float, help="how long a run without an end of its own lasts")
    parser.add_argument("--times", type=int, help="how often a run that repeats one thing does so")
    parser.add_argument("--quick", action="store_true", help="the short selection that `make test` runs")
    parser.add_argument("--json", type=Path, default=RESULTS, help=f"where the figures go; default {RESULTS}")
    return parser


def _execute(run: Run, options: argparse.Namespace, *, progress: Progress) -> Outcome:
    def say(sentence: str) -> None:
        progress.say(f"{run.name}: {sentence}")

    began = time.monotonic()
    figures: list[Figure] = []
    error = ""
    with progress.step(f"{run.name}: {run.does}"):
        try:
            scale = Scale(quick=options.quick, seed=options.seed, minutes=options.minutes, times=options.times, say=say)
            figures = uvloop.run(run.function(scale))
            error = "" if figures else "It measured nothing."
        except Exception as exc:
            traceback.print_exc()
            error = f"{type(exc).__name__}: {exc}"
    took_s = time.monotonic() - began
    say(f"{'broke off' if error else 'done'} after {took_s:.0f} s")
    return Outcome(name=run.name, took_s=took_s, figures=figures, error=error)


def _print(outcomes: list[Outcome]) -> None:
    table = Table(title="What the fault runs measured")
    for column in ("run", "figure", "value", "bound", ""):
        table.add_column(column, justify="right" if column == "value" else "left")
    for outcome in outcomes:
        table.add_section()
        for figure in outcome.figures:
            verdict = "[green]kept[/]" if figure.ok else "[bold red]BROKEN[/]"
            value = f"{figure.value:,.10g} {figure.unit}".strip()
            table.add_row(outcome.name, figure.name, value, figure.bound, verdict)
        if outcome.error:
            table.add_row(outcome.name, outcome.error, "", "", "[bold red]BROKE OFF[/]")
        table.add_row(outcome.name, "took", f"{outcome.took_s:,.0f} s", "", "", style="dim")
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
