"""buildah: building images and handing them to the node, without a container engine.

Storage is private (`Settings.image_store`). Working containers of a killed build would pile up in it, so each
build removes what it finds.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dev.cluster.settings import Settings
from dev.machine.commands import attempt, run, run_logged
from dev.machine.errors import DevError

# Where other people's `buildah bud` and `podman build` put their images.
USUAL_STORE: tuple[str, ...] = ("buildah",)

# An import races with the collection of what it replaces; the next try finds that done.
IMPORT_TRIES = 5
IMPORT_PAUSE_S = 2.0


def build(settings: Settings, *, tag: str, context: Path, options: Sequence[str] = (), log: Path) -> None:
    """Build the Dockerfile of a context into the private storage."""
    attempt([*_private(settings), "rm", "--all"])
    argv = [*_private(settings), "bud", "--isolation", "chroot", "--layers", *options, "--tag", tag, str(context)]
    run_logged(argv, log=log)


def clock(environment: Mapping[str, str] | None) -> list[str]:
    """The option that gives everything in an image one time, if the environment sets SOURCE_DATE_EPOCH."""
    return ["--timestamp", environment["SOURCE_DATE_EPOCH"]] if environment else []


def stored(settings: Settings, tag: str) -> bool:
    """Whether the private storage has the image."""
    return _has(_private(settings), tag)


def load(settings: Settings, tag: str) -> None:
    """Copy an image from our storage, or else from the usual one, into the node's."""
    owner = next((store for store in (_private(settings), USUAL_STORE) if _has(store, tag)), None)
    if owner is None:
        raise DevError(f"buildah has no image {tag!r}; build it first, or see the names with `buildah images`.")
    with tempfile.TemporaryDirectory(prefix="usher-load-") as folder:
        archive = f"{folder}/image.tar"
        # Not compressed, as an OCI archive would be: that took most of the time.
        run([*owner, "push", "--quiet", tag, f"docker-archive:{archive}:{tag}"])
        _import(settings, archive)


def push(settings: Settings, tag: str, layout: Path) -> None:
    """Write an image of the private storage into a folder, as an OCI image layout."""
    run([*_private(settings), "push", "--quiet", "--format", "oci", tag, f"oci:{layout}:{tag}"])


@contextmanager
def mounted(settings: Settings, tag: str) -> Iterator[Path]:
    """The files of an image of the private storage, to read."""
    with _container(settings, tag) as container:
        yield Path(run([*_private(settings), "mount", container]).strip())


def output(settings: Settings, tag: str, *argv: str) -> str:
    """What a program in an image of the private storage prints."""
    with _container(settings, tag) as container:
        return run([*_private(settings), "run", "--isolation", "chroot", container, "--", *argv])


@contextmanager
def _container(settings: Settings, tag: str) -> Iterator[str]:
    container = run([*_private(settings), "from", "--pull-never", tag]).strip()
    try:
        yield container
    finally:
        run([*_private(settings), "rm", container])


def _import(settings: Settings, archive: str) -> None:
    """Import an archive. containerd may collect the layers of the image it replaces while it unpacks upon them."""
    argv = [*_ctr(settings), "images", "import", archive]
    for _ in range(IMPORT_TRIES - 1):
        if attempt(argv).returncode == 0:
            return
        time.sleep(IMPORT_PAUSE_S)
    run(argv)


def loaded(settings: Settings) -> set[str]:
    """The names of the images that the node has."""
    return set(run([*_ctr(settings), "images", "ls", "--quiet"]).split())


def _has(store: Sequence[str], tag: str) -> bool:
    return attempt([*store, "inspect", "--type", "image", tag]).returncode == 0


def _private(settings: Settings) -> tuple[str, ...]:
    return ("buildah", "--root", str(settings.image_store), "--runroot", f"{settings.run}-images")


def _ctr(settings: Settings) -> list[str]:
    return ["ctr", "--address", str(settings.containerd_socket), "--namespace", "k8s.io"]
