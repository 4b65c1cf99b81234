"""The cluster that the person's kubeconfig points to, used only after asking.

Its context is copied when it is agreed to: tests that run later must not follow a person who switches to
another cluster meanwhile.
"""

import sys
from pathlib import Path

from dev.cluster.settings import Settings
from dev.machine.commands import run
from dev.machine.errors import DevError
from dev.machine.progress import Progress


class Current:
    """The provider of a cluster that exists already."""

    def __init__(self, settings: Settings, progress: Progress, *, confirmed: bool) -> None:
        self._settings = settings
        self._progress = progress
        self._confirmed = confirmed

    def up(self) -> None:
        context = run(["kubectl", "config", "current-context"]).strip()
        if not (self._confirmed or _agreed(context)):
            raise DevError(f"Nothing was done: using the context {context!r} was not agreed to.")
        copied = run(["kubectl", "config", "view", "--minify", "--flatten", "--raw"])
        self.kubeconfig().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.kubeconfig().touch(mode=0o600)
        self.kubeconfig().write_text(copied)
        run(["kubectl", "--kubeconfig", str(self.kubeconfig()), "version"])
        self._progress.say(f"using the context {context!r}: export KUBECONFIG={self.kubeconfig()}")

    def down(self, *, purge: bool) -> None:
        self.kubeconfig().unlink(missing_ok=True)
        self._progress.say("the copied kubeconfig is removed; the cluster itself is left as it is")

    def status(self) -> bool:
        if not self.kubeconfig().exists():
            print("No cluster was agreed to; choose one with `python3 -m dev.cluster --cluster current up`.")
            return False
        print(run(["kubectl", "--kubeconfig", str(self.kubeconfig()), "get", "nodes", "-o", "wide"]))
        print(f"kubeconfig  {self.kubeconfig()}")
        return True

    def load_images(self, tags: list[str]) -> None:
        raise DevError(f"Cannot load {', '.join(tags)} into a cluster of yours; push to a registry it pulls from.")

    def build_images(self, only: str | None) -> None:
        raise DevError("Cannot load images into a cluster of yours; build images/*/Dockerfile and push the result.")

    def logs(self, name: str | None, *, follow: bool) -> None:
        raise DevError("The components of a cluster of yours log where its owner decided; ask kubectl.")

    def kubeconfig(self) -> Path:
        return self._settings.home / "current" / "kubeconfig.yaml"

    def programs(self) -> list[Path]:
        return []

    def audit_log(self) -> Path:
        raise DevError(
            "The audit log of a cluster of yours is not at hand; tests that need it want CLUSTER=local or kind."
        )

    def kill(self, name: str) -> None:
        raise DevError(f"Will not kill {name} of a cluster of yours; fault tests want CLUSTER=local.")

    def start(self, name: str) -> None:
        raise DevError(f"Will not start {name} of a cluster of yours; fault tests want CLUSTER=local.")


def _agreed(context: str) -> bool:
    if not sys.stdin.isatty():
        raise DevError(f"Using the context {context!r} needs a yes on a terminal, or the flag --yes; there is neither.")
    print(
        f"Use the cluster of the context {context!r}? Usher's manifests will be applied to it. [y/N] ",
        end="",
        flush=True,
    )
    return sys.stdin.readline().strip().lower() in ("y", "yes")
