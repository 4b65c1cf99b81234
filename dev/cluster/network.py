"""The bridge that pods hang on, and the three packet rules it needs.

The bridge carries the address that the API server, the kubelet and CoreDNS listen on, so it is made before and
removed after everything else.
"""

from pathlib import Path

from dev.cluster.settings import Settings
from dev.machine.commands import attempt, run

# Pods of one node meet on the bridge; a Service's address is only translated back when bridged packets are seen too.
SYSCTLS = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}


def up(settings: Settings) -> None:
    """Make the bridge and its rules where they are missing."""
    if not exists(settings):
        run(["ip", "link", "add", settings.bridge, "type", "bridge"])
    run(["ip", "address", "replace", f"{settings.node_ip}/24", "dev", settings.bridge])
    run(["ip", "link", "set", settings.bridge, "up"])
    for name, value in SYSCTLS.items():
        switch = Path("/proc/sys") / name
        if switch.exists():
            switch.write_text(value)
    for table, rule in _rules(settings):
        if attempt(["iptables", "-w", "-t", table, "-C", *rule]).returncode != 0:
            run(["iptables", "-w", "-t", table, "-A", *rule])


def down(settings: Settings) -> None:
    """Remove the bridge and its rules."""
    for table, rule in _rules(settings):
        attempt(["iptables", "-w", "-t", table, "-D", *rule])
    if exists(settings):
        run(["ip", "link", "delete", settings.bridge])


def exists(settings: Settings) -> bool:
    return Path(f"/sys/class/net/{settings.bridge}").exists()


def ports(settings: Settings) -> list[str]:
    """The pods' ends of the bridge: one virtual cable each."""
    folder = Path(f"/sys/class/net/{settings.bridge}/brif")
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def _rules(settings: Settings) -> list[tuple[str, list[str]]]:
    # Not what stays here: the machine's own connections to the bridge's address would be renamed on their way through
    # loopback, and lost with whatever address they were given.
    outward = ["-s", settings.pod_cidr, "!", "-d", settings.pod_cidr, "!", "-o", settings.bridge, "-j", "MASQUERADE"]
    return [
        ("nat", ["POSTROUTING", *outward]),
        ("filter", ["FORWARD", "-i", settings.bridge, "-j", "ACCEPT"]),
        ("filter", ["FORWARD", "-o", settings.bridge, "-j", "ACCEPT"]),
    ]
