"""The chart's package, with the annotations of Artifact Hub that change with each version."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml

from dev.cluster.settings import REPOSITORY
from dev.machine.commands import run
from dev.release import archives
from dev.release.source import Source
from dev.release.versions import changes

CHART = REPOSITORY / "helm" / "usher"
IMAGES = ("operator", "bot", "bot-browser")


def package(folder: Path, *, helm: Path, version: str, source: Source) -> Path:
    """The chart as helm packs it, in the folder."""
    with tempfile.TemporaryDirectory(prefix="usher-chart-") as temporary:
        copy = Path(temporary) / "usher"
        shutil.copytree(CHART, copy)
        _annotate(copy / "Chart.yaml", version=version)
        run([str(helm), "package", str(copy), "--destination", str(folder)])
    archive = folder / f"usher-{version}.tgz"
    archives.normalise(archive, epoch=source.epoch)
    return archive


def annotations(version: str) -> dict[str, str]:
    """What Artifact Hub shows of this version: its images and its changes."""
    images = [{"name": name, "image": f"usher.dev/{name}:{version}"} for name in IMAGES]
    changed = changes((REPOSITORY / "CHANGELOG.md").read_text(), version)
    return {"artifacthub.io/images": _yaml(images), "artifacthub.io/changes": _yaml(changed)}


def _annotate(page: Path, *, version: str) -> None:
    chart: dict[str, Any] = yaml.safe_load(page.read_text())
    chart["annotations"] = {**chart.get("annotations", {}), **annotations(version)}
    page.write_text(yaml.safe_dump(chart, sort_keys=False, allow_unicode=True, width=1000))


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
