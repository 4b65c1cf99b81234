"""Debian packages: installed when root and missing, else named in a sentence.

Packages that bring a service must not start it: a Postgres or Redis that this machine's owner runs on the
stock ports stays untouched, and a fresh machine gets no system service. `policy-rc.d` is Debian's switch for
that; it is put in place for the length of the installation only, where none exists. (Debian's Postgres may
still make an empty system cluster under /var/lib/postgresql: it is not started, and nothing here uses it.)
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dev.machine.commands import attempt, run, run_logged
from dev.machine.errors import DevError
from dev.machine.progress import Progress

POLICY = Path("/usr/sbin/policy-rc.d")


def ensure(packages: Sequence[str], *, log: Path, progress: Progress) -> None:
    """Make sure the packages are installed."""
    absent = missing(packages)
    if not absent:
        return
    _refuse_unless_installable(absent)
    with progress.step(f"installing Debian packages: {' '.join(absent)}", usually="20 s to 2 min"):
        run(["apt-get", "update", "--quiet"], env=_environment())
        with _services_stay_down():
            argv = ["apt-get", "install", "--yes", "--no-install-recommends", *absent]
            run_logged(argv, log=log, env=_environment())


def missing(packages: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed."""
    if shutil.which("dpkg-query") is None:
        return list(packages)
    listed = attempt(["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *packages]).stdout
    installed = {line.split()[0] for line in listed.splitlines() if line.endswith(" installed")}
    return [package for package in packages if package not in installed]


def _refuse_unless_installable(absent: Sequence[str]) -> None:
    names = " ".join(absent)
    if shutil.which("apt-get") is None:
        raise DevError(f"These Debian packages are missing and this machine has no apt-get: {names}. Use Debian 12.")
    if os.geteuid() != 0:
        raise DevError(f"These Debian packages are missing: {names}. Install them as root: apt-get install {names}")


def _environment() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


@contextmanager
def _services_stay_down() -> Iterator[None]:
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
