"""The local cluster: one control plane and one node, all native processes of this machine.

Its processes live on after the command. Whatever killed them, the next `up` removes what they left, starts
them again on the data they kept, and the pods are made anew.
"""

import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

from dev.cluster import (
    binaries,
    buildah,
    cleanup,
    components,
    control_plane,
    dns,
    images,
    kubectl,
    network,
    node,
    pki,
    policies,
    staging,
)
from dev.cluster.settings import FILES, PACKAGES, Settings
from dev.machine import debian, processes, waiting
from dev.machine.errors import DevError
from dev.machine.progress import Progress

CONTROL_PLANE = ("apiserver", "controller-manager", "scheduler")
NODE = ("kube-router", "coredns", "kube-proxy", "kubelet", "containerd")
# The node first: the API server takes leave of everyone who still watches, and pods would only watch again.
STOPPING = (*NODE, "scheduler", "controller-manager", "apiserver", "etcd")


class Local:
    """The provider of the local cluster."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress

    def up(self) -> None:
        _refuse_unless_root()
        settings, progress = self._settings, self._progress
        debian.ensure(PACKAGES, log=settings.home / "apt.log", progress=progress)
        binaries.ensure_all(settings, progress=progress)
        pki.ensure(settings, progress=progress)
        self._clean_up()
        network.up(settings)
        self._write_files()
        self._start()
        self._wait()
        progress.say(f"the cluster is up: export KUBECONFIG={settings.kubeconfig()}")

    def down(self, *, purge: bool) -> None:
        _refuse_unless_root()
        settings = self._settings
        self._progress.say("stopping the components, and every pod with them")
        components.stop(settings, *NODE)
        cleanup.remove_pods(settings, progress=self._progress)
        components.stop(settings, *STOPPING)
        cleanup.remove_rules(settings)
        policies.remove_rules()
        network.down(settings)
        if purge:
            shutil.rmtree(settings.state, ignore_errors=True)
        kept = "its data, images and certificates are gone" if purge else "its data is kept"
        self._progress.say(f"the cluster is down; {kept}")

    def status(self) -> bool:
        print(f"{'COMPONENT':20}{'PID':>8}  {'STATE':10}{'AGE':>10}  LOG")
        well = [self._print_component(name) for name in components.NAMES]
        ready = self._node_ready()
        print(f"\nnode        {'Ready' if ready else 'not ready'}")
        print(f"kubeconfig  {self._settings.kubeconfig()}\naudit log   {self._settings.audit_log}")
        return all(well) and ready

    def load_images(self, tags: list[str]) -> None:
        self._refuse_unless_containerd()
        for tag in tags:
            with self._progress.step(f"loading {tag}", usually="3 to 20 s"):
                buildah.load(self._settings, tag)

    def build_images(self, only: str | None) -> None:
        self._refuse_unless_containerd()
        images.ensure(self._settings, staging.chosen(only), progress=self._progress)

    def logs(self, name: str | None, *, follow: bool) -> None:
        names = [name] if name else components.NAMES
        logs = [str(components.component(self._settings, one).process.log) for one in names]
        existing = [log for log in logs if Path(log).exists()]
        if not existing:
            raise DevError("There is no log yet; start the cluster with `python3 -m dev.cluster up`.")
        os.execvp("tail", ["tail", "-n", "100", *(["-F"] if follow else []), *existing])

    def kubeconfig(self) -> Path:
        return self._settings.kubeconfig()

    def programs(self) -> list[Path]:
        return [binaries.folder(self._settings, build) for build in (binaries.KUBERNETES, binaries.TOOLS)]

    def audit_log(self) -> Path:
        return self._settings.audit_log

    def kill(self, name: str) -> None:
        components.stop(self._settings, name, kill=True)
        self._progress.say(f"{name} is killed; bring it back with `start {name}`")

    def start(self, name: str) -> None:
        components.start(self._settings, name, progress=self._progress)
        self._progress.say(f"{name} is healthy")

    def _clean_up(self) -> None:
        """Remove the pods of a killed session, unless their shims live: then containerd can take them over."""
        containerd = components.component(self._settings, "containerd").process
        if processes.find(containerd) is None and not cleanup.shims(self._settings):
            cleanup.remove_pods(self._settings, progress=self._progress)

    def _write_files(self) -> None:
        settings = self._settings
        for file in (control_plane.audit_policy(), *node.config_files(settings), dns.config_file(settings)):
            file.write(settings)
        node.write_network(settings)
        node.write_seccomp_profile(settings)
        settings.audit_log.parent.mkdir(parents=True, exist_ok=True)
        settings.run.mkdir(parents=True, exist_ok=True)

    def _start(self) -> None:
        settings, progress = self._settings, self._progress
        components.stop_outdated(settings, *STOPPING, progress=progress)
        components.start(settings, "containerd", "etcd", progress=progress)
        components.start(settings, *CONTROL_PLANE, progress=progress)
        images.ensure_pause(settings, progress=progress)
        for file in ("coredns-rbac.yaml", "kube-router-rbac.yaml"):
            kubectl.kubectl(settings, "apply", "--filename", str(FILES / file))
        components.start(settings, "kubelet", "kube-proxy", "coredns", progress=progress)

    def _wait(self) -> None:
        with self._progress.step("waiting for the node and the first ServiceAccount", usually="3 to 12 s"):
            account = ("serviceaccount", "default", "--namespace=default")
            otherwise = "The controller manager made no ServiceAccount in 60 s; see `logs controller-manager`."
            waiting.until(lambda: kubectl.get(self._settings, *account) is not None, timeout_s=60, otherwise=otherwise)
            otherwise = f"The node is not Ready after 90 s; see `logs kubelet` in {self._settings.logs}."
            waiting.until(self._node_ready, timeout_s=90, otherwise=otherwise, every_s=0.3)
        self._enforce_policies()

    def _enforce_policies(self) -> None:
        """Last, because kube-router asks the node for its address; what a killed one left would pass for its work."""
        if processes.find(components.component(self._settings, "kube-router").process) is None:
            policies.remove_rules()
        components.start(self._settings, "kube-router", progress=self._progress)

    def _node_ready(self) -> bool:
        """Whether the node is Ready by its present kubelet's word: etcd still holds a dead one's."""
        running = processes.find(components.component(self._settings, "kubelet").process)
        found = kubectl.get(self._settings, "node", self._settings.node) if running else None
        if running is None or found is None:
            return False
        ready = [one for one in found["status"].get("conditions", []) if one["type"] == "Ready"]
        return any(one["status"] == "True" and _age_s(one["lastHeartbeatTime"]) <= running.age_s + 1 for one in ready)

    def _print_component(self, name: str) -> bool:
        component = components.component(self._settings, name)
        running = processes.find(component.process)
        state = "stopped" if running is None else "healthy" if component.healthy() else "unhealthy"
        pid, age = (str(running.pid), f"{running.age_s:.0f} s") if running else ("-", "-")
        print(f"{name:20}{pid:>8}  {state:10}{age:>10}  {component.process.log}")
        return state == "healthy"

    def _refuse_unless_containerd(self) -> None:
        if not node.containerd(self._settings).healthy():
            raise DevError("containerd does not run; start the cluster first: python3 -m dev.cluster up")


def _refuse_unless_root() -> None:
    if os.geteuid() != 0:
        raise DevError("A local cluster needs root (networks, mounts, cgroups); run as root, or use CLUSTER=kind.")


def _age_s(timestamp: str) -> float:
    return time.time() - datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
