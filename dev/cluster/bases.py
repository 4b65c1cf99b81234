"""The images that the project's images stand on: a Debian made by mmdebstrap, because no image can be pulled.

Each is named after its package list and the month: made anew once a month, it has the month's security fixes.
"""

import datetime
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import buildah
from dev.cluster.settings import Settings
from dev.machine.commands import run_logged
from dev.machine.progress import Progress

# Copyright files stay: whoever passes an image on must pass them on too.
UNREAD = (
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "info", "locale", "bash-completion")),
)


@dataclass(frozen=True, kw_only=True)
class Base:
    """A Debian and what is installed in it. `argument` is the build argument of the Dockerfiles that takes its name."""

    name: str
    argument: str
    suite: str
    variant: str
    packages: tuple[str, ...]

    def tag(self, today: datetime.date | None = None) -> str:
        """The image's name, which changes with its packages and the month."""
        month = (today or datetime.datetime.now(tz=datetime.UTC).date()).strftime("%Y-%m")
        made_of = hashlib.sha256(" ".join([self.suite, self.variant, *self.packages, *UNREAD]).encode())
        return f"localhost/usher-{self.name}:{month}-{made_of.hexdigest()[:8]}"


# Without apt: nothing is installed in what runs.
RUNTIME = Base(
    name="runtime",
    argument="BASE_IMAGE",
    suite="trixie",
    variant="essential",
    packages=("ca-certificates", "libstdc++6", "python3"),
)
BUILD = Base(
    name="build",
    argument="BUILD_IMAGE",
    suite="trixie",
    variant="minbase",
    packages=("binutils", "ca-certificates", "python3", "python3-venv"),
)
STORES = Base(name="stores", argument="BASE_IMAGE", suite="bookworm", variant="minbase", packages=("ca-certificates",))
PYTHON_BASES = (RUNTIME, BUILD)
# With apt, because Chromium is installed on it.
BROWSER = Base(
    name="browser",
    argument="BASE_IMAGE",
    suite="trixie",
    variant="minbase",
    packages=("ca-certificates", "libstdc++6", "python3"),
)


def ensure(settings: Settings, base: Base, *, progress: Progress, environment: Mapping[str, str] | None = None) -> str:
    """The name of the base image, which is made when buildah does not have it."""
    tag = base.tag()
    if not buildah.stored(settings, tag):
        with progress.step(f"making the {base.name} base image with mmdebstrap", usually="40 s"):
            _make(settings, base, environment=environment)
    return tag


def _make(settings: Settings, base: Base, *, environment: Mapping[str, str] | None) -> None:
    with tempfile.TemporaryDirectory(prefix="usher-base-") as folder:
        rootfs, log = f"{folder}/rootfs.tar", settings.builds / f"{base.name}-base.log"
        wanted = [f"--variant={base.variant}", f"--include={','.join(base.packages)}", *UNREAD]
        run_logged(["mmdebstrap", *wanted, base.suite, rootfs], log=log, env=environment)
        (Path(folder) / "Dockerfile").write_text("FROM scratch\nADD rootfs.tar /\n")
        buildah.build(settings, tag=base.tag(), context=Path(folder), options=buildah.clock(environment), log=log)
