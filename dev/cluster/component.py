"""A component: one of the cluster's processes and how to tell that it does its work.

Components are values, made anew by each command; the processes they describe live on their own.
"""

import http.client
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.settings import Settings
from dev.machine.processes import Process


@dataclass(frozen=True, kw_only=True)
class Component:
    """A process and its health."""

    process: Process
    healthy: Callable[[], bool]
    starts_within_s: float = 60.0

    @property
    def name(self) -> str:
        return self.process.name


def process(settings: Settings, name: str, argv: tuple[str, ...]) -> Process:
    """A process of the cluster, with a log of its own."""
    return Process(name=name, argv=argv, marker=settings.marker, log=settings.logs / f"{name}.log")


def flagged(program: Path, flags: dict[str, str]) -> tuple[str, ...]:
    """A program's arguments with `--name=value` flags."""
    return (str(program), *(f"--{flag}={value}" for flag, value in flags.items()))


def answers(host: str, port: int, path: str, *, trusted: ssl.SSLContext | None = None) -> bool:
    """Whether an HTTP server says 200 to that path."""
    link: http.client.HTTPConnection
    if trusted:
        link = http.client.HTTPSConnection(host, port, timeout=2, context=trusted)
    else:
        link = http.client.HTTPConnection(host, port, timeout=2)
    try:
        link.request("GET", path)
        return link.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def listens(path: Path) -> bool:
    """Whether someone accepts connections on a unix socket."""
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(2)
            link.connect(str(path))
            return True
    except OSError:
        return False


def trusting(authority: Path) -> ssl.SSLContext:
    """TLS that trusts the cluster's own certificates."""
    return ssl.create_default_context(cafile=str(authority))


def trusting_anyone() -> ssl.SSLContext:
    """TLS for health checks on loopback of programs that sign their own certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
