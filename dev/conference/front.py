"""The front server: pages, tickets and the way to LiveKit, over TLS, as a process beside LiveKit."""

import hashlib
import socket
import sys

from dev.conference import pages
from dev.conference.settings import REPOSITORY, SERVER_SOURCES, Settings
from dev.machine import processes, waiting
from dev.machine.processes import Process
from dev.machine.progress import Progress


def process(settings: Settings) -> Process:
    """The server as it should run. Its arguments change with its code, so that an old one is replaced."""
    argv = [sys.executable, "-m", "dev.conference.server", "--code", _digest(settings)]
    argv += ["--certificate", str(settings.certificate), "--key", str(settings.key)]
    argv += ["--host", settings.host, "--livekit", settings.livekit_url]
    argv += ["--meeting", f"{settings.meeting_port}:{pages.folder(settings, 'meeting')}"]
    argv += ["--jitsi", f"{settings.jitsi_port}:{pages.folder(settings, 'jitsi')}"]
    argv += ["--stand-ins", f"{settings.stand_ins_port}:{pages.folder(settings, 'standins')}"]
    argv += ["--sink", f"{settings.sink_port}:{settings.recordings}"]
    return Process(
        name="front",
        argv=tuple(argv),
        marker=str(settings.recordings),
        log=settings.state / "front.log",
        env={"PYTHONPATH": str(REPOSITORY)},
    )


def up(settings: Settings, *, progress: Progress) -> None:
    """Bring the server up, anew when its code or its pages changed."""
    server = process(settings)
    if processes.is_outdated(server):
        processes.stop(server)
    if processes.find(server) and _answers(settings):
        return
    with progress.step("starting the conference's pages"):
        processes.start(server)
        otherwise = f"The conference does not answer on {settings.meeting_url}; its log is {server.log}."
        waiting.until(lambda: _answers(settings), timeout_s=15, otherwise=otherwise, while_running=server)


def down(settings: Settings) -> None:
    """Stop the server, whichever Python started it."""
    for program in ("python", "python3"):
        processes.stop_all(program, marker=process(settings).marker)


def _digest(settings: Settings) -> str:
    """Changes with the server's code and its certificate."""
    digest = hashlib.sha256(settings.certificate.read_bytes() if settings.certificate.exists() else b"")
    for path in sorted(SERVER_SOURCES.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _answers(settings: Settings) -> bool:
    try:
        for port in (settings.meeting_port, settings.jitsi_port, settings.stand_ins_port, settings.sink_port):
            socket.create_connection((settings.host, port), timeout=2).close()
    except OSError:
        return False
    return True
