"""What every kind of cluster can be asked to do, and which kind is meant.

A provider lives as long as one command. `up` remembers its kind in a file, so that later commands, and above
all tests, speak to that cluster and no other.
"""

import os
import shutil
from pathlib import Path
from typing import Protocol

from dev.cluster.settings import Settings
from dev.machine.commands import attempt
from dev.machine.errors import MisuseError

KINDS = ("kind", "current", "local")


class Provider(Protocol):
    """One kind of cluster."""

    def up(self) -> None:
        """Bring the cluster up; safe to repeat."""

    def down(self, *, purge: bool) -> None:
        """Stop the cluster; with purge, forget its data."""

    def status(self) -> bool:
        """Print what runs; True when all of it does."""
        ...

    def load_images(self, tags: list[str]) -> None:
        """Copy images to the cluster's nodes."""

    def build_images(self, only: str | None) -> None:
        """Build the project's images and copy them to the nodes."""

    def logs(self, name: str | None, *, follow: bool) -> None:
        """Print the logs of a component, or of all."""

    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        ...

    def programs(self) -> list[Path]:
        """The folders of the kubectl and helm that fit the cluster, if it brings them; else those on PATH serve."""
        ...

    def audit_log(self) -> Path:
        """The API server's audit log."""
        ...

    def kill(self, name: str) -> None:
        """Kill a component at once, for fault tests."""

    def start(self, name: str) -> None:
        """Start a component again."""


def choose(settings: Settings, *, flag: str | None) -> str:
    """The kind of cluster: the flag, else CLUSTER, else what `up` chose, else what this machine can run."""
    asked = flag or os.environ.get("CLUSTER") or _remembered(settings)
    if not asked:
        return "kind" if shutil.which("kind") and _docker_answers() else "local"
    if asked not in KINDS:
        raise MisuseError(f"There is no kind of cluster {asked!r}; CLUSTER and --cluster take {', '.join(KINDS)}.")
    return asked


def remember(settings: Settings, kind: str) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    _memory(settings).write_text(kind)


def forget(settings: Settings) -> None:
    _memory(settings).unlink(missing_ok=True)


def _remembered(settings: Settings) -> str:
    memory = _memory(settings)
    return memory.read_text().strip() if memory.exists() else ""


def _memory(settings: Settings) -> Path:
    return settings.home / "kind-of-cluster"


def _docker_answers() -> bool:
    return shutil.which("docker") is not None and attempt(["docker", "info"], timeout_s=20).returncode == 0
