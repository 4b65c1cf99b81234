"""kubectl against the development cluster, and `usher` inside it.

The cluster's own kubeconfig is used, never the person's; its context points at the bots' namespace, so that the
commands shown are the commands to type.
"""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from dev.machine.commands import attempt, run
from dev.machine.errors import DevError

ROOT = Path(__file__).parents[2]
SYSTEM = "usher-system"
BOTS = "usher-bots"


def cluster(*arguments: str) -> str:
    """Run a command of dev.cluster and return what it prints; its progress goes to the terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "dev.cluster", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise DevError(f"`python3 -m dev.cluster {' '.join(arguments)}` failed, see above.")
    return done.stdout


def environment() -> dict[str, str]:
    """The environment in which kubectl speaks to the development cluster."""
    values = dict(os.environ)
    for line in cluster("env").splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        values[name] = "".join(shlex.split(value)).replace("$PATH", os.environ.get("PATH", ""))
    return values


class Kubectl:
    """kubectl with its environment; one per command."""

    def __init__(self) -> None:
        self.env = environment()

    def __call__(self, *arguments: str, stdin: str | None = None, timeout_s: float | None = 300) -> str:
        """Run kubectl and return what it prints. Raises DevError with its words."""
        return run(["kubectl", *arguments], env=self.env, cwd=ROOT, stdin=stdin, timeout_s=timeout_s)

    def attempt(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a kubectl whose failure is an answer too."""
        return attempt(["kubectl", *arguments], env=self.env, cwd=ROOT, stdin=stdin, timeout_s=300)

    def json(self, *arguments: str) -> Any:
        """What kubectl prints as JSON."""
        return json.loads(self(*arguments, "--output", "json"))

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a kubectl that goes on; the caller ends it."""
        return subprocess.Popen(
            ["kubectl", *arguments],
            env=self.env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def usher_arguments(self, *arguments: str) -> tuple[str, ...]:
        """The kubectl arguments that run `usher` in the cluster."""
        return ("--namespace", SYSTEM, "exec", "deploy/usher-serve", "--container", "serve", "--", "usher", *arguments)

    def usher(self, *arguments: str) -> str:
        """Run `usher` in the cluster, where the database is."""
        return self(*self.usher_arguments(*arguments))
