"""The version, which is written in four places that must agree."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import yaml

from dev.machine.errors import DevError, MisuseError

WELL_FORMED = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
HEADING = re.compile(r"^## (\S+)(?: - (\S+))?$", re.MULTILINE)
UNRELEASED = "unreleased"


@dataclass(frozen=True, kw_only=True)
class Versions:
    """What each place says."""

    package: str
    chart: str
    app: str
    changelog: str
    date: str
    """The day of the newest heading, or `unreleased`."""

    def by_place(self) -> dict[str, str]:
        """The version by the place that says it."""
        return {
            "pyproject.toml": self.package,
            "version in helm/usher/Chart.yaml": self.chart,
            "appVersion in helm/usher/Chart.yaml": self.app,
            "the newest heading of CHANGELOG.md": self.changelog,
        }


def read(root: Path) -> Versions:
    """What the checkout says. Raises DevError when the changelog has no heading."""
    chart = yaml.safe_load((root / "helm" / "usher" / "Chart.yaml").read_text())
    heading = HEADING.search((root / "CHANGELOG.md").read_text())
    if heading is None:
        raise DevError("CHANGELOG.md has no heading like `## 0.1.0 - unreleased`; add one for this version.")
    return Versions(
        package=tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"],
        chart=str(chart["version"]),
        app=str(chart["appVersion"]),
        changelog=heading[1],
        date=heading[2] or UNRELEASED,
    )


def check(version: str, versions: Versions) -> None:
    """Raises MisuseError if the version is malformed, DevError if one of the places says another one."""
    if not WELL_FORMED.fullmatch(version):
        raise MisuseError(f"VERSION={version!r} is not a version; give three numbers, such as VERSION=0.1.0.")
    others = [f"{place} says {said}" for place, said in versions.by_place().items() if said != version]
    if others:
        raise DevError(f"VERSION={version} is not what is written: {'; '.join(others)}. Change it there first.")


def changes(changelog: str, version: str) -> list[dict[str, str]]:
    """The changes of a version, as Artifact Hub takes them: a kind and a sentence each."""
    after = changelog.partition(f"\n## {version}")[2]
    section = after.partition("\n## ")[0]
    listed: list[dict[str, str]] = []
    for part in section.split("\n### ")[1:]:
        kind, _, bullets = part.partition("\n")
        for bullet in re.split(r"^- ", bullets, flags=re.MULTILINE)[1:]:
            listed.append({"kind": kind.strip().lower(), "description": " ".join(bullet.split())})
    return listed
