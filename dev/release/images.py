"""The images, each as an OCI archive. Storage and bases are the release's own: nothing of an earlier build gets in."""

import json
import shutil
from pathlib import Path

from dev.cluster import buildah, images
from dev.cluster.settings import Settings
from dev.cluster.staging import Image
from dev.machine.progress import Progress
from dev.release import archives
from dev.release.source import Source

# https://github.com/opencontainers/image-spec/blob/main/annotations.md
LABEL = "org.opencontainers.image."


def build(
    settings: Settings, image: Image, folder: Path, *, version: str, source: Source, progress: Progress
) -> tuple[Path, str]:
    """The archive in the folder, and the digest that a registry will know the image by."""
    on = images.made_on(settings, image, progress=progress, environment=source.environment)
    with progress.step(f"building {image.reference(version)}", usually="2 min"):
        options = [*_labels(image, version=version, source=source), *buildah.clock(source.environment)]
        images.build(settings, image, on=on, version=version, options=options)
        buildah.output(settings, image.reference(version), image.program, "--help")  # it starts, with all it imports
    layout = settings.cache / f"{image.name}-layout"
    buildah.push(settings, image.reference(version), layout)
    archive = folder / f"usher-{image.name}-{version}.oci.tar"
    archives.of_folder(layout, archive, epoch=source.epoch)
    shutil.rmtree(layout)
    return archive, digest(archive)


def digest(archive: Path) -> str:
    """The digest of the image in an archive."""
    index = json.loads(archives.member(archive, "index.json"))
    return str(index["manifests"][0]["digest"])


def _labels(image: Image, *, version: str, source: Source) -> list[str]:
    labels = {
        "title": f"usher {image.name}",
        "version": version,
        "revision": source.revision,
        "licenses": "Apache-2.0",
    }
    return [word for name, value in labels.items() for word in ("--label", f"{LABEL}{name}={value}")]
