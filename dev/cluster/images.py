"""The project's images on the local node: built when their files changed, and loaded.

The base is this machine's Debian, made by mmdebstrap, because no image can be pulled. It is named after its
package list and the month: made anew once a month, it has the month's security fixes. A digest of everything
an image is made from lies beside the cluster's data; a purge forgets both.
"""

import datetime
import hashlib
import shutil
import tempfile
from pathlib import Path

from dev.cluster import binaries, buildah, node
from dev.cluster.pip_settings import gathered
from dev.cluster.settings import REPOSITORY, Settings
from dev.cluster.staging import Image, digest, stage
from dev.machine.commands import run_logged
from dev.machine.locking import exclusive
from dev.machine.progress import Progress

BASE_PACKAGES = ("ca-certificates", "python3", "python3-venv")
BASE_SUITE = "bookworm"
UNREAD = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")  # 30 MB in each image
CERTIFICATES = Path("/etc/ssl/certs")


def ensure(settings: Settings, images: list[Image], *, progress: Progress) -> None:
    """Build and load those images whose files changed or that the node has lost."""
    with exclusive(settings.home / "images.lock", progress=progress):
        base = _ensure_base(settings, progress=progress)
        for image in _in_order(images):
            if _is_current(settings, image, base=base):
                progress.say(f"{image.tag} is unchanged")
            else:
                _build_and_load(settings, image, base=base, progress=progress)


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


def base_name(today: datetime.date | None = None) -> str:
    """The base image's name, which changes with its packages and the month."""
    month = (today or datetime.datetime.now(tz=datetime.UTC).date()).strftime("%Y-%m")
    made_of = hashlib.sha256(" ".join([BASE_SUITE, *BASE_PACKAGES, *UNREAD]).encode()).hexdigest()[:8]
    return f"localhost/usher-base:{month}-{made_of}"


def _in_order(images: list[Image]) -> list[Image]:
    """The images, each after the one that it takes from."""
    ordered = [one for image in images for one in (image.of, image) if one]
    return list(dict.fromkeys(ordered))


def _ensure_base(settings: Settings, *, progress: Progress) -> str:
    name = base_name()
    if not buildah.stored(settings, name):
        with progress.step("making the base image with mmdebstrap", usually="40 s"):
            _make_base(settings, name)
    return name


def _make_base(settings: Settings, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="usher-base-") as folder:
        rootfs, log = f"{folder}/rootfs.tar", settings.builds / "base.log"
        dropped = " ".join(f'"$1/{path}"' for path in UNREAD)
        options = [f"--include={','.join(BASE_PACKAGES)}", f"--customize-hook=rm -rf {dropped}"]
        run_logged(["mmdebstrap", "--variant=minbase", *options, BASE_SUITE, rootfs], log=log)
        (Path(folder) / "Dockerfile").write_text("FROM scratch\nADD rootfs.tar /\n")
        buildah.build(settings, tag=name, context=Path(folder), log=log)


def _build_and_load(settings: Settings, image: Image, *, base: str, progress: Progress) -> None:
    made_of = digest(image, base)  # before the build: a file saved meanwhile makes the next build a true one
    with progress.step(f"building {image.tag}", usually="20 to 90 s, 10 s when only code changed"):
        _build(settings, image, base=base)
    with progress.step(f"loading {image.tag}", usually="10 to 20 s"):
        buildah.load(settings, image.tag)
    _record(settings, image).parent.mkdir(parents=True, exist_ok=True)
    _record(settings, image).write_text(made_of)


def _build(settings: Settings, image: Image, *, base: str) -> None:
    with tempfile.TemporaryDirectory(prefix="usher-image-") as folder:
        context, pip_conf = Path(folder) / "context", Path(folder) / "pip.conf"
        context.mkdir()
        stage(image, context)
        pip_conf.write_text(gathered())
        mounts = [f"{pip_conf}:/etc/pip.conf:ro", f"{CERTIFICATES}:{CERTIFICATES}:ro"] if image.inputs else []
        volumes = [word for mount in mounts for word in ("--volume", mount)]
        taken = ["--build-arg", f"BOT_IMAGE={image.of.tag}"] if image.of else []
        options = ["--build-arg", f"BASE_IMAGE={base}", *taken, *volumes]
        log = settings.builds / f"{image.name}-image.log"
        buildah.build(settings, tag=image.tag, context=context, options=options, log=log)


def _is_current(settings: Settings, image: Image, *, base: str) -> bool:
    record = _record(settings, image)
    unchanged = record.exists() and record.read_text() == digest(image, base)
    return unchanged and image.tag in buildah.loaded(settings)


def _record(settings: Settings, image: Image) -> Path:
    return settings.state / "images" / image.name
