"""The conference's pages, bundled from npm packages: our own meeting page, Jitsi Meet's web client, and the stand-ins.

Each bundle goes to a folder named after what it was made from, and appears there only when it is complete.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dev.conference.settings import NODE_PACKAGES, WEB_SOURCES, Settings
from dev.machine import debian
from dev.machine.commands import run_logged
from dev.machine.errors import DevError
from dev.machine.progress import Progress

# The sources of Jitsi Meet's web client. `npm install` would fail on two dependencies that no registry holds.
JITSI_PACKAGE = "@jitsi/react-native-sdk"
JITSI_ARCHIVE = "jitsi-react-native-sdk-{version}.tgz"
JITSI_KEPT = ("lang", "sounds", "images")
NPM_CI = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """One set of pages. `make` runs in a copy of its sources and returns the folders that are kept."""

    name: str
    usually: str
    make: Callable[[Path, Path], list[Path]]

    @property
    def sources(self) -> Path:
        return WEB_SOURCES / self.name


def ensure(settings: Settings, *, progress: Progress) -> None:
    """Bundle what has not been bundled from these very sources."""
    absent = [bundle for bundle in BUNDLES if not folder(settings, bundle.name).exists()]
    if absent and shutil.which("npm") is None:
        debian.ensure(NODE_PACKAGES, log=settings.home / "apt.log", progress=progress)
    for bundle in absent:
        with progress.step(f"bundling the pages of {bundle.name}", usually=bundle.usually):
            _bundle(settings, bundle)


def folder(settings: Settings, name: str) -> Path:
    """Where a bundle lies: the folder's name changes with its sources."""
    digest = hashlib.sha256()
    for path in sorted((WEB_SOURCES / name).iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return settings.home / f"pages-{name}-{digest.hexdigest()[:12]}"


def unpack_jitsi(work: Path, *, log: Path) -> Path:
    """Fetch, check and unpack the package with Jitsi's sources; the folder is called `sdk`."""
    pinned = json.loads((WEB_SOURCES / "jitsi" / "package.json").read_text())["jitsi"]
    run_logged(["npm", "pack", "--silent", f"{JITSI_PACKAGE}@{pinned['version']}"], log=log, cwd=work)
    archive = work / JITSI_ARCHIVE.format(version=pinned["version"])
    if hashlib.sha256(archive.read_bytes()).hexdigest() != pinned["sha256"]:
        raise DevError(f"{archive.name} is not the archive whose SHA-256 package.json names.")
    run_logged(["tar", "-xzf", str(archive)], log=log, cwd=work)
    return (work / "package").rename(work / "sdk")


def _bundle(settings: Settings, bundle: Bundle) -> None:
    final = folder(settings, bundle.name)
    work = final.with_name(final.name + ".unfinished")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(bundle.sources, work)
    kept = bundle.make(work, settings.home / f"pages-{bundle.name}.log")
    done = work / ".done"
    done.mkdir()
    for path in kept:
        path.rename(done / path.name)
    os.replace(done, final)
    shutil.rmtree(work)


def _make_meeting(work: Path, log: Path) -> list[Path]:
    run_logged(NPM_CI, log=log, cwd=work)
    run_logged(["node_modules/.bin/esbuild", *_ESBUILD], log=log, cwd=work)
    return [work / "dist", work / "index.html"]


def _make_jitsi(work: Path, log: Path) -> list[Path]:
    run_logged([*NPM_CI, "--legacy-peer-deps"], log=log, cwd=work)
    sdk = unpack_jitsi(work, log=log)
    run_logged(["node", "build.mjs"], log=log, cwd=work)
    return [work / "dist", work / "index.html", *(sdk / name for name in JITSI_KEPT)]


def _make_stand_ins(work: Path, log: Path) -> list[Path]:
    run_logged(NPM_CI, log=log, cwd=work)
    entries = ("meet.js", "teams.js", "zoom.js")
    run_logged(["node_modules/.bin/esbuild", *entries, "--bundle", "--format=esm", "--outdir=dist"], log=log, cwd=work)
    return [work / "dist", work / "index.html"]


_ESBUILD = (
    "app.jsx",
    "app.css",
    "--bundle",
    "--minify",
    "--jsx=automatic",
    '--define:process.env.NODE_ENV="production"',
    "--outdir=dist",
)
BUNDLES = (
    Bundle(name="meeting", usually="15 s", make=_make_meeting),
    Bundle(name="standins", usually="10 s", make=_make_stand_ins),
    Bundle(name="jitsi", usually="40 s", make=_make_jitsi),
)
