"""buildah: building images and handing them to the node, without a container engine.

Storage is private (`Settings.image_store`). Working containers of a killed build would pile up in it, so each
build removes what it finds.
"""

import tempfile
import time
from collections.abc import Sequence
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
        run([*owner, "push", "--quiet", tag, f"oci-archive:{archive}:{tag}"])
        _import(settings, archive)


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
