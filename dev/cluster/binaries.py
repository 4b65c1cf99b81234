"""The cluster's programs, built from Go modules because no registry at hand ships them.

Each build goes to a folder named after what it was built from, appears there under its final name only when it
is complete, and stays until someone removes the cache: a killed build is simply begun again, and Go's own build
cache keeps what it had compiled.
"""

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import toolchain
from dev.cluster.settings import GO_MODULES, REPOSITORY, Settings
from dev.machine.commands import run_logged
from dev.machine.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Build:
    """One Go module and the programs that come out of it."""

    name: str
    module: Path
    target: str
    usually: str
    renamed: tuple[tuple[str, str], ...] = ()  # Go's name for a program, and the program's usual name


KUBERNETES = Build(
    name="kubernetes",
    module=GO_MODULES / "kubernetes",
    target="tool",
    usually="6 to 10 min the first time, seconds with Go's build cache",
    renamed=(("server", "etcd"),),
)
COREDNS = Build(
    name="coredns",
    module=GO_MODULES / "coredns",
    target="tool",
    usually="2 to 3 min the first time, seconds with Go's build cache",
)
TOOLS = Build(
    name="tools",
    module=GO_MODULES / "tools",
    target="tool",
    usually="1 to 2 min the first time, seconds with Go's build cache",
)
KUBE_ROUTER = Build(
    name="kube-router",
    module=GO_MODULES / "kube-router",
    target="tool",
    usually="1 to 2 min the first time, seconds with Go's build cache",
)
PAUSE = Build(name="pause", module=REPOSITORY / "images" / "pause", target=".", usually="2 s")
ALL = (KUBERNETES, COREDNS, KUBE_ROUTER, TOOLS, PAUSE)
_OTHERS = {"coredns": COREDNS, "helm": TOOLS, "kube-router": KUBE_ROUTER, "kwok": TOOLS, "pause": PAUSE}


def ensure_all(settings: Settings, *, progress: Progress) -> None:
    """Build what has not been built from these very sources."""
    ensure(settings, *ALL, progress=progress)


def ensure(settings: Settings, *builds: Build, progress: Progress) -> None:
    """The same for some of them."""
    for build in builds:
        if not folder(settings, build).exists():
            _build(settings, build, progress=progress)


def folder(settings: Settings, build: Build) -> Path:
    """Where a build's programs lie: the folder's name changes with its module files and flags."""
    sources = sorted([*build.module.glob("go.*"), *build.module.glob("*.go")])
    digest = hashlib.sha256("\0".join([*_flags(build), *(path.read_text() for path in sources)]).encode())
    return settings.builds / f"{build.name}-{digest.hexdigest()[:12]}"


def program(settings: Settings, name: str) -> Path:
    """The path of a built program."""
    return folder(settings, _OTHERS.get(name, KUBERNETES)) / name


def kubernetes_version() -> str:
    """The version that the module file pins, such as v1.35.4."""
    found = re.search(r"k8s\.io/kubernetes (v[\d.]+)", (KUBERNETES.module / "go.mod").read_text())
    return found[1] if found else "v0.0.0"


def _build(settings: Settings, build: Build, *, progress: Progress) -> None:
    final = folder(settings, build)
    unfinished = final.with_name(final.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    needed = toolchain.needed_version((build.module / "go.mod").read_text())
    go = toolchain.ensure(needed=needed, cache=settings.cache, progress=progress)
    with progress.step(f"building {build.name}", usually=build.usually):
        argv = [str(go), "build", *_flags(build), "-o", f"{unfinished}/", build.target]
        log = settings.builds / f"{build.name}.log"
        run_logged(argv, log=log, env=toolchain.environment(), cwd=build.module)
    for built, usual in build.renamed:
        (unfinished / built).rename(unfinished / usual)
    unfinished.rename(final)


def _flags(build: Build) -> list[str]:
    link = "-s -w" + (_version_stamp() if build is KUBERNETES else "")
    return ["-trimpath", "-buildvcs=false", "-ldflags", link]


def _version_stamp() -> str:
    """Kubernetes learns its version from the linker; a build without it calls itself v0.0.0 and confuses clients."""
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".")
    stamped = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "published",
        "buildDate": "2026-01-01T00:00:00Z",
    }
    return "".join(f" -X k8s.io/component-base/version.{name}={value}" for name, value in stamped.items())
