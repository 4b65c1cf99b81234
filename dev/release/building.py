"""The parts of a release in the order in which they are made, and the checksums over all of them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dev import sbom
from dev.cluster import binaries, settings
from dev.cluster.settings import PACKAGES, Settings
from dev.cluster.staging import chosen
from dev.machine import debian
from dev.machine.progress import Progress
from dev.release import chart, checksums, distributions, images
from dev.release.signing import Signer
from dev.release.source import Source
from dev.release.verifying import DIGESTS

IMAGES = "operator,bot,bot-browser"


def build(folder: Path, *, version: str, source: Source, cyclonedx: str, progress: Progress) -> None:
    """Make everything but the checksums."""
    with progress.step("building the wheel, the sdist and the chart", usually="10 s"):
        distributions.build(folder, source=source)
        helm = binaries.program(settings.load(), "helm")
        chart.package(folder, helm=helm, version=version, source=source)
    debian.ensure(PACKAGES, log=settings.load().builds / "apt.log", progress=progress)
    digests: list[str] = []
    with _own_storage() as own:
        for image in chosen(IMAGES):
            reference = image.reference(version)
            _, digest = images.build(own, image, folder, version=version, source=source, progress=progress)
            digests.append(f"{reference}@{digest}\n")
            page = folder / f"usher-{image.name}-{version}.cdx.json"
            sbom.write(own, image, version=version, cyclonedx=cyclonedx, page=page)
    (folder / DIGESTS).write_text("".join(digests))


def seal(folder: Path, signer: Signer) -> None:
    """Write the checksums and sign them."""
    signer.sign(checksums.write(folder))


@contextmanager
def _own_storage() -> Iterator[Settings]:
    """buildah's storage for this release alone, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="usher-release-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        own = replace(settings.load(), cache=Path(folder), run=Path("/run") / Path(folder).name)
        try:
            yield own
        finally:
            shutil.rmtree(f"{own.run}-images", ignore_errors=True)
