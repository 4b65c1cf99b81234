"""A figure, the bound it is held to and its ceiling; and the table of them."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured value. `name` finds its bounds; `ceiling` is what the machine did without Usher in this run."""

    name: str
    value: float
    unit: str
    ceiling: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The share of the ceiling; None without one."""
        return self.value / self.ceiling if self.ceiling else None


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What a figure is held to: itself (`at_least`, `at_most`), or its share of the ceiling (`ratio`)."""

    what: str
    of: str
    """The benchmark that measures it."""
    at_least: float | None = None
    at_most: float | None = None
    ratio: float | None = None

    def __str__(self) -> str:
        parts = [f"≥ {self.at_least:g}"] if self.at_least is not None else []
        parts += [f"≤ {self.at_most:g}"] if self.at_most is not None else []
        parts += [f"ratio ≥ {self.ratio:g}"] if self.ratio is not None else []
        return ", ".join(parts)

    def keeps(self, figure: Figure) -> bool:
        """Whether the figure is within this bound; what could not be measured is not."""
        if math.isnan(figure.value):
            return False
        return not (
            (self.at_least is not None and figure.value < self.at_least)
            or (self.at_most is not None and figure.value > self.at_most)
            or (self.ratio is not None and (figure.ratio is None or figure.ratio < self.ratio))
        )


def load(profile: str) -> dict[str, Any]:
    """What a profile puts on Usher, by benchmark."""
    return dict(yaml.safe_load((FOLDER / "load.yaml").read_text())[profile])


def bounds(profile: str) -> dict[str, Bound]:
    """What figures are held to in that profile, by their names."""
    data = yaml.safe_load((FOLDER / "thresholds.yaml").read_text())
    return {
        name: Bound(what=entry["what"], of=entry["of"], **entry[profile])
        for name, entry in data["figures"].items()
        if profile in entry
    }


def known_misses(profile: str) -> dict[str, str]:
    """The targets that are known to be missed in that profile, and why."""
    data = yaml.safe_load((FOLDER / "thresholds.yaml").read_text())
    return dict(data["known_missed"].get(profile, {}))


def misses(found: Iterable[Figure], held_to: Mapping[str, Bound], *, ran: Collection[str]) -> list[str]:
    """The figures outside their bounds, and the bounds whose benchmark ran and did not produce their figure."""
    measured = {figure.name: figure for figure in found}
    missed = [name for name, figure in measured.items() if name in held_to and not held_to[name].keeps(figure)]
    return missed + [name for name, bound in held_to.items() if bound.of in ran and name not in measured]


def table(figures: Iterable[Figure], held_to: Mapping[str, Bound]) -> list[str]:
    """A Markdown table, one row per figure."""
    rows = ["| figure | target | measured | ceiling | ratio | |", "|---|---|---|---|---|---|"]
    for figure in figures:
        bound = held_to.get(figure.name)
        cases = [
            bound.what if bound else figure.name,
            str(bound) if bound else "",
            f"{number(figure.value)} {figure.unit}",
            f"{number(figure.ceiling)} {figure.unit}" if figure.ceiling else "",
            f"{figure.ratio:.2f}" if figure.ratio is not None else "",
            ("" if not bound else "kept" if bound.keeps(figure) else "**missed**")
            + (f" ({figure.note})" if figure.note else ""),
        ]
        rows.append("| " + " | ".join(cases) + " |")
    return rows


def number(value: float | None) -> str:
    """Three figures that count."""
    if value is None or math.isnan(value):
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
