"""The media server: LiveKit, built from the Go proxy, with no address asked of anyone outside."""

import json
import signal
import socket

from dev.cluster import binaries
from dev.cluster import settings as cluster_settings
from dev.conference.settings import API_KEY, API_SECRET, LIVEKIT_MODULE, Settings
from dev.machine import processes, waiting
from dev.machine.processes import Process
from dev.machine.progress import Progress

# 1.13.5 and not newer: later ones replace WebRTC modules with forks, and a dependency's `replace` does not count.
BUILD = binaries.Build(
    name="livekit",
    module=LIVEKIT_MODULE,
    target="tool",
    usually="3 min the first time, seconds with Go's build cache",
    renamed=(("server", "livekit-server"),),
)


def process(settings: Settings) -> Process:
    """The server as it should run. On SIGTERM it would wait for its rooms to empty."""
    program = binaries.folder(cluster_settings.load(), BUILD) / "livekit-server"
    config = str(settings.livekit_config)
    log = settings.state / "livekit.log"
    argv = (str(program), "--config", config)
    return Process(name="livekit", argv=argv, marker=config, log=log, stop_signal=signal.SIGKILL)


def build(*, progress: Progress) -> None:
    """Build the server where this version of it is missing."""
    binaries.ensure(cluster_settings.load(), BUILD, progress=progress)


def up(settings: Settings, *, progress: Progress) -> None:
    """Bring the server up, anew when its program or its settings changed."""
    config = json.dumps(_config(settings), indent=2)
    settings.state.mkdir(parents=True, exist_ok=True)
    changed = not settings.livekit_config.exists() or settings.livekit_config.read_text() != config
    settings.livekit_config.write_text(config)
    server = process(settings)
    if changed or processes.is_outdated(server):
        processes.stop(server)
    if processes.find(server) and _answers(settings):
        return
    with progress.step("starting LiveKit"):
        processes.start(server)
        otherwise = f"LiveKit does not answer on {settings.livekit_url}; its log is {server.log}."
        waiting.until(lambda: _answers(settings), timeout_s=30, otherwise=otherwise, while_running=server)


def _config(settings: Settings) -> dict[str, object]:
    """Its configuration: JSON is YAML."""
    return {
        "port": settings.signal_port,
        "bind_addresses": [settings.host],
        "rtc": {
            "udp_port": settings.media_udp_port,
            "tcp_port": settings.media_tcp_port,
            "use_external_ip": False,
            "node_ip": settings.host,
            "enable_loopback_candidate": settings.interface == "lo",
            "interfaces": {"includes": [settings.interface]},
            "stun_servers": [],
        },
        "room": {"auto_create": True, "empty_timeout": 300, "departure_timeout": 20},
        "keys": {API_KEY: API_SECRET},
        "logging": {"level": "info", "json": False},
    }


def _answers(settings: Settings) -> bool:
    try:
        with socket.create_connection((settings.host, settings.signal_port), timeout=2):
            return True
    except OSError:
        return False
