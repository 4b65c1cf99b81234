"""The project's images on the local node: built when their files or their bases changed, and loaded.

A digest of everything an image is made from lies beside the cluster's data; a purge forgets both.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.cluster import bases, binaries, buildah, node
from dev.cluster.pip_settings import gathered
from dev.cluster.settings import REPOSITORY, Settings
from dev.cluster.staging import Image, digest, stage
from dev.machine.locking import exclusive
from dev.machine.progress import Progress

CERTIFICATES = Path("/etc/ssl/certs")


def ensure(settings: Settings, images: list[Image], *, progress: Progress) -> None:
    """Build and load those images whose files changed or that the node has lost."""
    with exclusive(settings.home / "images.lock", progress=progress):
        for image in _in_order(images):
            made_of = digest(image, *made_on(settings, image, progress=progress).values())
            if _is_current(settings, image, made_of=made_of):
                progress.say(f"{image.tag} is unchanged")
            else:
                _build_and_load(settings, image, made_of=made_of, progress=progress)


def made_on(
    settings: Settings, image: Image, *, progress: Progress, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The base images of an image, by the build argument that names each. They are made when buildah has none."""
    return {
        base.argument: bases.ensure(settings, base, progress=progress, environment=environment) for base in image.bases
    }


def _in_order(images: list[Image]) -> list[Image]:
    """The images, each after the one that it takes from."""
    ordered = [one for image in images for one in (image.of, image) if one]
    return list(dict.fromkeys(ordered))


def ensure_pause(settings: Settings, *, progress: Progress) -> None:
    """Give the node the image that every pod needs."""
    if node.PAUSE_IMAGE in buildah.loaded(settings):
        return
    with (
        exclusive(settings.home / "images.lock", progress=progress),
        progress.step("building the pause image"),
        tempfile.TemporaryDirectory(prefix="usher-image-") as folder,
    ):
        shutil.copy(binaries.program(settings, "pause"), folder)
        shutil.copy(REPOSITORY / "images" / "pause" / "Dockerfile", folder)
        log = settings.builds / "pause-image.log"
        buildah.build(settings, tag=node.PAUSE_IMAGE, context=Path(folder), log=log)
        buildah.load(settings, node.PAUSE_IMAGE)


def build(
    settings: Settings, image: Image, *, on: Mapping[str, str], version: str = "dev", options: Sequence[str] = ()
) -> None:
    """Build an image into buildah's storage, on images that are there."""
    with tempfile.TemporaryDirectory(prefix="usher-image-") as folder:
        context, pip_conf = Path(folder) / "context", Path(folder) / "pip.conf"
        context.mkdir()
        stage(image, context)
        pip_conf.write_text(gathered())
        named = {**on, **({"BOT_IMAGE": image.of.reference(version)} if image.of else {})}
        arguments = [word for name, base in named.items() for word in ("--build-arg", f"{name}={base}")]
        mounts = [f"{pip_conf}:/etc/pip.conf:ro", f"{CERTIFICATES}:{CERTIFICATES}:ro"] if image.inputs else []
        volumes = [word for mount in mounts for word in ("--volume", mount)]
        whole = [*arguments, *volumes, *options]
        log = settings.builds / f"{image.name}-image.log"
        buildah.build(settings, tag=image.reference(version), context=context, options=whole, log=log)


def _build_and_load(settings: Settings, image: Image, *, made_of: str, progress: Progress) -> None:
    with progress.step(f"building {image.tag}", usually="20 to 90 s, 10 s when only code changed"):
        build(settings, image, on=made_on(settings, image, progress=progress))
    with progress.step(f"loading {image.tag}", usually="10 to 20 s"):
        buildah.load(settings, image.tag)
    _record(settings, image).parent.mkdir(parents=True, exist_ok=True)
    _record(settings, image).write_text(made_of)


def _is_current(settings: Settings, image: Image, *, made_of: str) -> bool:
    record = _record(settings, image)
    return record.exists() and record.read_text() == made_of and image.tag in buildah.loaded(settings)


def _record(settings: Settings, image: Image) -> Path:
    return settings.state / "images" / image.name
