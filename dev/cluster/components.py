"""The components by name, and starting and stopping them together.

They start in the order of the list, the whole list at once: each waits for those it needs by itself, except
for the API server, which gives up when etcd is away.
"""

from collections.abc import Callable

from dev.cluster import control_plane, dns, node, policies
from dev.cluster.component import Component
from dev.cluster.settings import Settings
from dev.machine import processes, waiting
from dev.machine.errors import MisuseError
from dev.machine.progress import Progress

_MAKERS: dict[str, Callable[[Settings], Component]] = {
    "etcd": control_plane.etcd,
    "apiserver": control_plane.apiserver,
    "controller-manager": control_plane.controller_manager,
    "scheduler": control_plane.scheduler,
    "containerd": node.containerd,
    "kubelet": node.kubelet,
    "kube-proxy": node.kube_proxy,
    "coredns": dns.coredns,
    "kube-router": policies.kube_router,
}
NAMES = tuple(_MAKERS)


def component(settings: Settings, name: str) -> Component:
    if name not in _MAKERS:
        raise MisuseError(f"There is no component {name!r}; the components are {', '.join(NAMES)}.")
    return _MAKERS[name](settings)


def every(settings: Settings) -> list[Component]:
    return [component(settings, name) for name in NAMES]


def start(settings: Settings, *names: str, progress: Progress) -> None:
    """Start those components that do not run, and return when all of them do their work."""
    wanted = [component(settings, name) for name in names]
    absent = [one for one in wanted if processes.find(one.process) is None]
    if absent:
        progress.say(f"starting {', '.join(one.name for one in absent)}")
    for one in absent:
        processes.start(one.process)
    for one in wanted:
        wait(one)


def wait(one: Component) -> None:
    otherwise = f"{one.name} is not healthy {one.starts_within_s:.0f} s after its start; its log is {one.process.log}."
    waiting.until(
        one.healthy, timeout_s=one.starts_within_s, otherwise=otherwise, every_s=0.2, while_running=one.process
    )


def stop(settings: Settings, *names: str, kill: bool = False) -> None:
    """Stop components in the order given."""
    for name in names:
        processes.stop(component(settings, name).process, kill=kill)


def stop_outdated(settings: Settings, *names: str, progress: Progress) -> None:
    """Stop components that run another program or configuration than they would be started with now."""
    for name in names:
        process = component(settings, name).process
        if processes.is_outdated(process):
            progress.say(f"stopping {name}: its program or configuration has changed")
            processes.stop(process)
