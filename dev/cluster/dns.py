"""Cluster DNS: CoreDNS as a process on the host, listening on the bridge's address.

As a pod it would need an image, a Service and a while; as a process it is up with the rest.
"""

import socket
import struct
from pathlib import Path

from dev.cluster.binaries import program
from dev.cluster.component import Component, process
from dev.cluster.config_files import ConfigFile
from dev.cluster.settings import Settings

RESOLVERS = Path("/etc/resolv.conf")
QUERY_ID = 0x5573


def config_file(settings: Settings) -> ConfigFile:
    return ConfigFile("corefile", corefile(settings))


def coredns(settings: Settings) -> Component:
    argv = (str(program(settings, "coredns")), "-conf", str(config_file(settings).path(settings)))
    return Component(
        process=process(settings, "coredns", argv),
        healthy=lambda: resolves("kubernetes.default.svc.cluster.local", settings.node_ip),
    )


def corefile(settings: Settings) -> str:
    """CoreDNS's configuration; other names go to the machine's resolvers, if it has any."""
    forward = "forward . /etc/resolv.conf" if _has_resolvers() else ""
    return f""".:53 {{
    bind {settings.node_ip}
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {settings.kubeconfig("coredns")} usher
        pods insecure
        ttl 5
    }}
    {forward}
    cache 5
}}
"""


def resolves(name: str, server: str, *, timeout_s: float = 1.0) -> bool:
    """Whether the DNS server knows an IPv4 address of that name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(timeout_s)
        try:
            link.sendto(question(name), (server, 53))
            return has_answer(link.recv(512))
        except OSError:
            return False


def question(name: str) -> bytes:
    """A DNS question for the A record of a name."""
    header = struct.pack(">HHHHHH", QUERY_ID, 0x0100, 1, 0, 0, 0)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return header + labels + b"\0" + struct.pack(">HH", 1, 1)


def has_answer(reply: bytes) -> bool:
    """Whether a reply to our question holds at least one answer and no error."""
    if len(reply) < 12:
        return False
    number, flags, _, answers = struct.unpack(">HHHH", reply[:8])
    failed = flags & 0x000F
    return bool(number == QUERY_ID and not failed and answers)


def _has_resolvers() -> bool:
    return RESOLVERS.exists() and any(line.startswith("nameserver") for line in RESOLVERS.read_text().splitlines())
