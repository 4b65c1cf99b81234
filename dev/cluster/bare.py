"""A bare control plane: etcd, API server, controller manager and scheduler on loopback, and no node.

`python3 -m dev.cluster.bare up`. For fault and load tests, where bots are not pods of a kubelet: it lies beside the
development cluster, with ports, data and certificates of its own, so that it may be killed at will and the cluster does
not notice. It needs no root and starts in seconds; etcd does not wait for the disk, because its data is worth nothing.
"""

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from dev.cluster import binaries, control_plane, kubectl, pki
from dev.cluster import components as cluster_components
from dev.cluster.component import Component, answers, flagged, process, trusting
from dev.cluster.settings import REPOSITORY, Settings
from dev.cluster.settings import load as load_cluster
from dev.machine import debian, processes, waiting
from dev.machine.errors import DevError, MisuseError
from dev.machine.locking import exclusive
from dev.machine.progress import Progress

PACKAGES = ("ca-certificates", "openssl", "python3-venv", "util-linux")
LOOPBACK = "127.0.0.1"
# With the stock limits the controllers make and end about twenty Jobs in a second, and would be what is measured.
RAISED = ("--kube-api-qps=1000", "--kube-api-burst=2000")
COMPONENTS = ("etcd", "apiserver", "controller-manager", "scheduler")


def load() -> Settings:
    """The settings of this machine's bare control plane."""
    return replace(
        load_cluster(),
        folder="bare",
        node_ip=LOOPBACK,
        apiserver_port=16443,
        etcd_port=12379,
        controller_manager_port=20257,
        scheduler_port=20259,
    )


def up(settings: Settings, *, progress: Progress) -> Path:
    """Bring it up, whatever a killed run left; the administrator's kubeconfig. Safe to repeat."""
    debian.ensure(PACKAGES, log=settings.home / "apt.log", progress=progress)
    binaries.ensure(settings, binaries.KUBERNETES, progress=progress)
    pki.ensure(settings, progress=progress)
    for name in COMPONENTS:
        one = component(settings, name)
        if processes.is_outdated(one.process):
            processes.stop(one.process)
    start(settings, "etcd")
    start(settings, *COMPONENTS)
    account = ("serviceaccount", "default", "--namespace=default")
    otherwise = "The controller manager made no ServiceAccount in 60 s; see its log."
    waiting.until(lambda: kubectl.get(settings, *account) is not None, timeout_s=60, otherwise=otherwise)
    define_botrequests(settings)
    return settings.kubeconfig()


def define_botrequests(settings: Settings) -> None:
    """Apply the CRD and wait until the API server serves it.

    Not by `kubectl wait`: it gives up at once when the CRD has no conditions yet.
    """
    kubectl.kubectl(settings, "apply", "--filename", str(REPOSITORY / "crds" / "botrequests.yaml"))
    otherwise = "The API server did not establish the CRD of BotRequests in 30 s; see its log."
    waiting.until(lambda: _established(settings), timeout_s=30, otherwise=otherwise)


def _established(settings: Settings) -> bool:
    found = kubectl.get(settings, "crd", "botrequests.usher.dev") or {}
    conditions = found.get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def down(settings: Settings, *, purge: bool = False) -> None:
    """Stop it; with `purge`, forget its data and certificates."""
    for name in reversed(COMPONENTS):
        processes.stop(component(settings, name).process, kill=purge)
    if purge:
        shutil.rmtree(settings.state, ignore_errors=True)


def kill(settings: Settings, name: str) -> None:
    """Kill a component at once."""
    processes.stop(component(settings, name).process, kill=True)


def stop(settings: Settings, name: str) -> None:
    """Stop a component as its owner would."""
    processes.stop(component(settings, name).process)


def start(settings: Settings, *names: str) -> None:
    """Start components and return when they do their work."""
    wanted = [component(settings, name) for name in names]
    for one in wanted:
        processes.start(one.process)
    for one in wanted:
        cluster_components.wait(one)


def component(settings: Settings, name: str) -> Component:
    """One component; those of the development cluster, but for what loopback alone asks of them."""
    makers = {
        "etcd": _etcd,
        "apiserver": _apiserver,
        "controller-manager": _controller_manager,
        "scheduler": _scheduler,
    }
    if name not in makers:
        raise MisuseError(f"There is no component {name!r}; the components are {', '.join(COMPONENTS)}.")
    return makers[name](settings)


def _etcd(settings: Settings) -> Component:
    return _with(control_plane.etcd(settings), "--unsafe-no-fsync=true")


def _controller_manager(settings: Settings) -> Component:
    return _with(control_plane.controller_manager(settings), *RAISED, "--concurrent-job-syncs=20")


def _scheduler(settings: Settings) -> Component:
    return _with(control_plane.scheduler(settings), *RAISED)


def _with(usual: Component, *flags: str) -> Component:
    return replace(usual, process=replace(usual.process, argv=(*usual.process.argv, *flags)))


def _apiserver(settings: Settings) -> Component:
    flags = {
        **control_plane.listening(settings),
        **control_plane.identity(settings),
        **control_plane.tokens(settings),
        "endpoint-reconciler-type": "none",  # a Service may not point at loopback
    }
    del flags["advertise-address"]
    trusted = settings.pki / "ca.crt"
    return Component(
        process=process(settings, "apiserver", flagged(binaries.program(settings, "kube-apiserver"), flags)),
        healthy=lambda: answers(LOOPBACK, settings.apiserver_port, "/readyz", trusted=trusting(trusted)),
    )


def main(arguments: list[str] | None = None) -> int:
    """`python3 -m dev.cluster.bare`."""
    parser = argparse.ArgumentParser(prog="python3 -m dev.cluster.bare", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("up", help="bring it up; safe to repeat")
    commands.add_parser("down", help="stop it").add_argument("--purge", action="store_true", help="forget its data too")
    commands.add_parser("kubeconfig", help="print the path of the administrator's kubeconfig")
    for name in ("kill", "start"):
        commands.add_parser(name, help=f"{name} a component").add_argument("component", metavar="COMPONENT")
    options = parser.parse_args(arguments)
    settings, progress = load(), Progress()
    try:
        with exclusive(settings.home / "bare.lock", progress=progress):
            _run(options, settings=settings, progress=progress)
    except DevError as error:
        print(f"dev.cluster.bare: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _run(options: argparse.Namespace, *, settings: Settings, progress: Progress) -> None:
    match options.command:
        case "up":
            progress.say(f"the control plane is up: export KUBECONFIG={up(settings, progress=progress)}")
        case "down":
            down(settings, purge=options.purge)
        case "kubeconfig":
            print(settings.kubeconfig())
        case "kill":
            kill(settings, options.component)
        case "start":
            start(settings, options.component)


if __name__ == "__main__":
    sys.exit(main())
