"""What a killed session leaves of its pods, and how it is removed.

Pods of a dead node cannot be taken over: their shims, processes, mounts, network cables and addresses go, and
the kubelet makes the pods anew from what etcd says. Only run this when containerd does not run.
"""

import os
import shutil
import signal
from pathlib import Path

from dev.cluster import network
from dev.cluster.binaries import program
from dev.cluster.settings import Settings
from dev.machine import processes, waiting
from dev.machine.commands import attempt
from dev.machine.progress import Progress

SHIM = "containerd-shim-runc-v2"


def shims(settings: Settings) -> list[processes.Running]:
    """The shims that hold pods of this cluster."""
    return processes.find_all(SHIM, marker=str(settings.containerd_socket))


def remove_pods(settings: Settings, *, progress: Progress) -> None:
    """Remove every trace of pods that nobody manages any more."""
    containers = _containers(settings)
    processes.stop_all(SHIM, marker=str(settings.containerd_socket), number=signal.SIGKILL)
    killed = _kill_containers(containers)
    unmounted = _unmount(settings)
    cables = _remove_cables(settings)
    shutil.rmtree(settings.run, ignore_errors=True)
    if killed or unmounted or cables:
        progress.say(f"cleaned up: {killed} container processes, {unmounted} mounts, {cables} network cables")


def _containers(settings: Settings) -> set[str]:
    """The ids of the containers that were running."""
    tasks = settings.run / "containerd" / "io.containerd.runtime.v2.task" / "k8s.io"
    return {entry.name for entry in tasks.iterdir()} if tasks.exists() else set()


def _kill_containers(containers: set[str]) -> int:
    """Kill what runs in a container's cgroup, which carries the container's id. Returns how many there were."""
    victims = _members(containers)
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    otherwise = "Processes of earlier pods do not end, not even when killed."
    waiting.until(lambda: not _members(containers), timeout_s=10, otherwise=otherwise)
    return len(victims)


def _members(containers: set[str]) -> list[int]:
    entries = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [int(entry.name) for entry in entries if containers.intersection(_cgroup_parts(entry))]


def _cgroup_parts(entry: Path) -> set[str]:
    try:
        zombie = not (entry / "cmdline").read_bytes()
        return set() if zombie else set((entry / "cgroup").read_text().replace("\n", "/").split("/"))
    except (FileNotFoundError, ProcessLookupError):
        return set()


def _unmount(settings: Settings) -> int:
    """Unmount all below the cluster's folders, the youngest mount first."""
    own = (f"{settings.run}/", settings.marker)
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    stale = [point.replace("\\040", " ") for point in reversed(points) if point.startswith(own)]
    for point in stale:
        attempt(["umount", "--lazy", point])
    return len(stale)


def _remove_cables(settings: Settings) -> int:
    cables = network.ports(settings)
    for cable in cables:
        attempt(["ip", "link", "delete", cable])
    return len(cables)


def remove_rules(settings: Settings) -> None:
    """Remove kube-proxy's packet rules, which would send a Service's traffic to pods that are gone."""
    proxy = program(settings, "kube-proxy")
    if proxy.exists():
        attempt([str(proxy), "--cleanup"], timeout_s=60)
