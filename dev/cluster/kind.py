"""The cluster of `kind`: nodes as Docker containers, for machines that have Docker.

kind keeps its own state; nothing is remembered here but the kubeconfig and the audit log that the node writes.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

from dev.cluster import staging
from dev.cluster.settings import FILES, Settings
from dev.machine.commands import attempt, run, run_logged
from dev.machine.errors import DevError
from dev.machine.progress import Progress

POLICY_IN_NODE = "/etc/kubernetes/usher/audit-policy.yaml"
AUDIT_IN_NODE = "/var/log/usher-audit"


class Kind:
    """The provider of a kind cluster."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress

    def up(self) -> None:
        _refuse_unless_there()
        if not self._exists():
            with self._progress.step("creating the kind cluster", usually="1 to 3 min"):
                self._create()
        self._folder.mkdir(parents=True, exist_ok=True)
        run(["kind", "export", "kubeconfig", "--name", self._name, "--kubeconfig", str(self.kubeconfig())])
        run(["kubectl", "--kubeconfig", str(self.kubeconfig()), "wait", "node", "--all", "--for=condition=Ready"])
        self._progress.say(f"the cluster is up: export KUBECONFIG={self.kubeconfig()}")

    def down(self, *, purge: bool) -> None:
        """kind cannot stop a cluster and start it again, so it is deleted in either case."""
        _refuse_unless_there()
        run(["kind", "delete", "cluster", "--name", self._name])
        if purge:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._progress.say("the kind cluster is deleted")

    def status(self) -> bool:
        _refuse_unless_there()
        if not self._exists():
            print(f"There is no kind cluster {self._name!r}; make it with `python3 -m dev.cluster up`.")
            return False
        print(run(["kubectl", "--kubeconfig", str(self.kubeconfig()), "get", "nodes", "-o", "wide"]))
        print(f"kubeconfig  {self.kubeconfig()}\naudit log   {self.audit_log()}")
        return True

    def load_images(self, tags: list[str]) -> None:
        _refuse_unless_there()
        for tag in tags:
            with self._progress.step(f"loading {tag}", usually="10 s"):
                run(["kind", "load", "docker-image", "--name", self._name, tag])

    def build_images(self, only: str | None) -> None:
        _refuse_unless_there()
        for image in staging.chosen(only):
            with self._progress.step(f"building {image.tag}", usually="1 min, 5 s when only code changed"):
                self._build(image)
            self.load_images([image.tag])

    def logs(self, name: str | None, *, follow: bool) -> None:
        if name or follow:
            raise DevError(
                "kind runs its components as pods: use `kubectl logs -n kube-system`, or `logs` without a name."
            )
        run(["kind", "export", "logs", "--name", self._name, str(self._folder / "logs")])
        print(self._folder / "logs")

    def kubeconfig(self) -> Path:
        return self._folder / "kubeconfig.yaml"

    def programs(self) -> list[Path]:
        return []

    def audit_log(self) -> Path:
        return self._folder / "audit" / "audit.log"

    def kill(self, name: str) -> None:
        raise DevError(f"Killing {name} works with a local cluster only; kind restarts its components by itself.")

    def start(self, name: str) -> None:
        raise DevError(f"Starting {name} works with a local cluster only; kind restarts its components by itself.")

    @property
    def _name(self) -> str:
        return self._settings.cluster

    @property
    def _folder(self) -> Path:
        return self._settings.home / "kind"

    def _exists(self) -> bool:
        return self._name in attempt(["kind", "get", "clusters"]).stdout.split()

    def _create(self) -> None:
        self.audit_log().parent.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "kind.json"
        configuration.write_text(json.dumps(self._configuration(), indent=1))
        argv = ["kind", "create", "cluster", "--name", self._name, "--config", str(configuration), "--wait", "3m"]
        run_logged([*argv, "--kubeconfig", str(self.kubeconfig())], log=self._folder / "create.log")

    def _configuration(self) -> dict[str, object]:
        """One node, whose API server writes the audit log to a folder of this machine."""
        mounts = [
            {"hostPath": str(FILES / "audit-policy.yaml"), "containerPath": POLICY_IN_NODE, "readOnly": True},
            {"hostPath": str(self.audit_log().parent), "containerPath": AUDIT_IN_NODE},
        ]
        node = {"role": "control-plane", "kubeadmConfigPatches": [json.dumps(_kubeadm())], "extraMounts": mounts}
        return {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": [node]}

    def _build(self, image: staging.Image) -> None:
        with tempfile.TemporaryDirectory(prefix="usher-image-") as folder:
            staging.stage(image, Path(folder))
            environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
            run_logged(
                ["docker", "build", "--tag", image.tag, folder],
                log=self._settings.builds / f"{image.name}-image.log",
                env=environment,
            )


def _kubeadm() -> dict[str, object]:
    flags = {
        "audit-policy-file": POLICY_IN_NODE,
        "audit-log-path": f"{AUDIT_IN_NODE}/audit.log",
        "audit-log-maxsize": "50",
        "audit-log-maxbackup": "2",
    }
    volumes = [
        {"name": "audit-policy", "hostPath": POLICY_IN_NODE, "mountPath": POLICY_IN_NODE, "readOnly": True},
        {"name": "audit-log", "hostPath": AUDIT_IN_NODE, "mountPath": AUDIT_IN_NODE, "pathType": "DirectoryOrCreate"},
    ]
    return {"kind": "ClusterConfiguration", "apiServer": {"extraArgs": flags, "extraVolumes": volumes}}


def _refuse_unless_there() -> None:
    for program in ("kind", "docker", "kubectl", "helm"):
        if shutil.which(program) is None:
            raise DevError(f"CLUSTER=kind needs {program} on PATH; install it, or use CLUSTER=local (as root).")
