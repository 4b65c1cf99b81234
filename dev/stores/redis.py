"""The test Redis: memory only, so a start after any death is a fresh start."""

import socket
from pathlib import Path

from dev.machine import processes, waiting
from dev.machine.processes import Process
from dev.machine.progress import Progress
from dev.stores.settings import HOST, Settings

PROGRAM = Path("/usr/bin/redis-server")


def process(settings: Settings) -> Process:
    """The server as it should run. Its title stays as given: it is how the process is found again."""
    home = str(settings.redis_home)
    flags = {
        "--dir": home,
        "--bind": HOST,
        "--port": str(settings.redis_port),
        "--save": "",
        "--appendonly": "no",
        "--daemonize": "no",
        "--set-proc-title": "no",
    }
    argv = (str(PROGRAM), *(word for flag in flags.items() for word in flag))
    return Process(name="redis", argv=argv, marker=home, log=settings.redis_home / "redis.log")


def up(settings: Settings, *, progress: Progress) -> None:
    """Bring the server up."""
    if _answers(settings):
        return
    with progress.step("starting Redis"):
        settings.redis_home.mkdir(parents=True, exist_ok=True)
        processes.start(process(settings))
        otherwise = f"Redis does not answer on {HOST}:{settings.redis_port}; its log is {process(settings).log}."
        waiting.until(lambda: _answers(settings), timeout_s=15, otherwise=otherwise)


def down(settings: Settings) -> None:
    """Stop the server."""
    processes.stop(process(settings))


def _answers(settings: Settings) -> bool:
    if processes.find(process(settings)) is None:
        return False
    try:
        with socket.create_connection((HOST, settings.redis_port), timeout=2) as link:
            link.sendall(b"PING\r\n")
            return link.recv(16).startswith(b"+PONG")
    except OSError:
        return False
