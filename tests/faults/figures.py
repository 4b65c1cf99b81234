"""What a fault run measures, and how large it shall be.

A run is a module of this package with `async def run(scale: Scale) -> list[Figure]`; its docstring's first line is what
the runner shows. `python -m tests.faults` finds them by that function.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured value, the bound it is held to in words, and whether it keeps it."""

    name: str
    value: float
    bound: str
    ok: bool
    unit: str = ""


def _silent(_sentence: str) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much to run: `quick` is the selection of `make test`; the same `seed` is the same run.

    `minutes` is for runs that have no end of their own, and `times` for those that repeat one thing; None leaves it to
    them.
    """

    quick: bool = False
    seed: int = 1
    minutes: float | None = None
    times: int | None = None
    say: Callable[[str], None] = _silent


def counted(name: str, value: float, *, unit: str = "") -> Figure:
    """A figure that says how much there was, and is held to nothing."""
    return Figure(name=name, value=value, bound="", ok=True, unit=unit)


def at_most(name: str, value: float, limit: float, *, unit: str = "") -> Figure:
    """A figure that is well up to its limit."""
    return Figure(name=name, value=value, bound=f"≤ {limit:g}", ok=value <= limit, unit=unit)


def at_least(name: str, value: float, limit: float, *, unit: str = "") -> Figure:
    """A figure that is well from its limit on."""
    return Figure(name=name, value=value, bound=f"≥ {limit:g}", ok=value >= limit, unit=unit)


def exactly(name: str, value: float, wanted: float, *, unit: str = "") -> Figure:
    """A figure that is well at one value only, mostly zero."""
    return Figure(name=name, value=value, bound=f"= {wanted:g}", ok=value == wanted, unit=unit)
