"""Images without a container engine: buildah builds them, containerd's own client takes them in.

The base is this machine's Debian, made by mmdebstrap, because no image can be pulled. It is named after its
package list and the month: made anew once a month, it has the month's security fixes.
"""

import datetime
import hashlib
import os
import tempfile
from pathlib import Path

from dev.cluster.pip_settings import gathered
from dev.cluster.settings import Settings
from dev.cluster.staging import Image, stage
from dev.machine.commands import attempt, run, run_logged
from dev.machine.errors import DevError
from dev.machine.progress import Progress

BASE_PACKAGES = ("ca-certificates", "python3", "python3-venv")
BASE_SUITE = "bookworm"
CERTIFICATES = Path("/etc/ssl/certs")


def base_name(today: datetime.date | None = None) -> str:
    """The base image's name, which changes with its packages and the month."""
    month = (today or datetime.datetime.now(tz=datetime.UTC).date()).strftime("%Y-%m")
    packages = hashlib.sha256(" ".join([BASE_SUITE, *BASE_PACKAGES]).encode()).hexdigest()[:8]
    return f"localhost/usher-base:{month}-{packages}"


def ensure_base(settings: Settings, *, progress: Progress) -> str:
    """Make the base image where it is missing."""
    name = base_name()
    if not _stored(name):
        with (
            progress.step("making the base image with mmdebstrap", usually="40 s"),
            tempfile.TemporaryDirectory(prefix="usher-base-") as folder,
        ):
            _make_base(name, Path(folder), log=settings.builds / "base.log")
    return name


def build(image: Image, *, base: str, log: Path) -> None:
    """Build an image into buildah's storage."""
    with tempfile.TemporaryDirectory(prefix="usher-image-") as folder:
        context, pip_conf = Path(folder) / "context", Path(folder) / "pip.conf"
        context.mkdir()
        stage(image, context)
        pip_conf.write_text(gathered())
        mounts = [f"{pip_conf}:/etc/pip.conf:ro", f"{CERTIFICATES}:{CERTIFICATES}:ro"] if image.inputs else []
        argv = ["buildah", "bud", "--isolation", "chroot", "--layers", "--build-arg", f"BASE_IMAGE={base}"]
        volumes = [word for mount in mounts for word in ("--volume", mount)]
        run_logged([*argv, *volumes, "--tag", image.tag, str(context)], log=log, env=_environment())


def build_from_scratch(tag: str, *, context: Path, log: Path) -> None:
    """Build an image whose Dockerfile needs nothing but its context."""
    run_logged(["buildah", "bud", "--isolation", "chroot", "--tag", tag, str(context)], log=log, env=_environment())


def load(settings: Settings, tag: str) -> None:
    """Copy an image from buildah's storage into the node's."""
    if not _stored(tag):
        raise DevError(f"buildah has no image {tag!r}; build it first, or see the names with `buildah images`.")
    with tempfile.TemporaryDirectory(prefix="usher-load-") as folder:
        archive = f"{folder}/image.tar"
        run(["buildah", "push", "--quiet", "--disable-compression", tag, f"oci-archive:{archive}:{tag}"])
        run([*_ctr(settings), "images", "import", archive])


def loaded(settings: Settings) -> set[str]:
    """The names of the images that the node has."""
    return set(run([*_ctr(settings), "images", "ls", "--quiet"]).split())


def _stored(name: str) -> bool:
    return attempt(["buildah", "inspect", "--type", "image", name]).returncode == 0


def _make_base(name: str, folder: Path, *, log: Path) -> None:
    rootfs = folder / "rootfs.tar"
    included = f"--include={','.join(BASE_PACKAGES)}"
    run_logged(["mmdebstrap", "--variant=minbase", included, BASE_SUITE, str(rootfs)], log=log)
    (folder / "Dockerfile").write_text("FROM scratch\nADD rootfs.tar /\n")
    build_from_scratch(name, context=folder, log=log)


def _ctr(settings: Settings) -> list[str]:
    return ["ctr", "--address", str(settings.containerd_socket), "--namespace", "k8s.io"]


def _environment() -> dict[str, str]:
    """buildah's own history must not tell a build from the next: the layers' age is not part of what they are."""
    return {**os.environ, "BUILDAH_FORMAT": "oci"}
