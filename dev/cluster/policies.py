"""NetworkPolicies: kube-router as a process on the host, of which only the firewall runs.

It turns policies into packet rules and sets of addresses, and knows a pod from the moment at which the pod has an
address: until then, usually well under a second, a new pod is as free as it is without an enforcer.
"""

from dev.cluster.binaries import program
from dev.cluster.component import Component, flagged, process
from dev.cluster.settings import Settings
from dev.machine.commands import attempt, run

CHAIN = "KUBE-ROUTER-FORWARD"
CHAINS = ("KUBE-ROUTER-", "KUBE-POD-FW-", "KUBE-NWPLCY-")
SETS = ("KUBE-DST-", "KUBE-SRC-")


def kube_router(settings: Settings) -> Component:
    flags = {
        "kubeconfig": str(settings.kubeconfig("kube-router")),
        "hostname-override": settings.node,
        "service-cluster-ip-range": settings.service_cidr,
        "run-firewall": "true",
        "run-router": "false",
        "run-service-proxy": "false",
        "health-port": "0",  # it would listen on every address
    }
    return Component(
        process=process(settings, "kube-router", flagged(program(settings, "kube-router"), flags)),
        healthy=lambda: attempt(["iptables", "-w", "-S", CHAIN]).returncode == 0,
    )


def remove_rules() -> None:
    """Remove its packet rules and sets: its own `--cleanup-config` crashes in a firewall that runs alone."""
    rules = attempt(["iptables-save", "-t", "filter"]).stdout.splitlines(keepends=True)
    kept = [rule for rule in rules if not any(chain in rule for chain in CHAINS)]
    if len(kept) == len(rules):
        return
    run(["iptables-restore", "-w"], stdin="".join(kept))
    for name in attempt(["ipset", "list", "-name"]).stdout.split():
        if name.startswith(SETS):
            run(["ipset", "destroy", name])
