"""Asking the local cluster as its administrator, with the kubectl that was built with it."""

import json
from typing import Any

from dev.cluster.binaries import program
from dev.cluster.settings import Settings
from dev.machine.commands import attempt, run


def kubectl(settings: Settings, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl and return what it printed."""
    return run(_argv(settings, arguments), stdin=stdin, timeout_s=60)


def get(settings: Settings, *arguments: str) -> dict[str, Any] | None:
    """An object, or None when it is not there or nobody answers."""
    done = attempt([*_argv(settings, ("get", *arguments)), "--output=json"], timeout_s=60)
    found: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return found


def _argv(settings: Settings, arguments: tuple[str, ...]) -> list[str]:
    kubeconfig = f"--kubeconfig={settings.kubeconfig()}"
    return [str(program(settings, "kubectl")), kubeconfig, "--request-timeout=10s", *arguments]
