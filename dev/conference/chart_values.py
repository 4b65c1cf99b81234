"""The chart's values with which browser bots of the local cluster find the conference, trust it and may reach it."""

import json
from pathlib import Path
from typing import Any

from dev.conference import certificate
from dev.conference.settings import Settings

# The host in the meeting's URL; bots' browsers are told where that is.
HOST = "conference.usher.test"


def write(settings: Settings) -> Path:
    """The values as a file; JSON is YAML. Makes the certificate, because the values pin it."""
    certificate.ensure(settings)
    settings.state.mkdir(parents=True, exist_ok=True)
    path = settings.state / "values.json"
    path.write_text(json.dumps(values(settings, pin=certificate.pin(settings.certificate)), indent=1))
    return path


def values(settings: Settings, *, pin: str) -> dict[str, Any]:
    """Options of the driver, the host that bots may join, and the ports that they may reach."""
    flags = [
        f"--host-resolver-rules=MAP {HOST} {settings.host}:{settings.jitsi_port}",
        f"--ignore-certificate-errors-spki-list={pin}",
    ]
    sink = {"kind": "websocket", "url": f"ws://{settings.host}:{settings.sink_port}/{{connection_id}}"}
    tcp = (settings.jitsi_port, settings.media_tcp_port, settings.sink_port)
    ports = [*({"protocol": "TCP", "port": port} for port in tcp), {"protocol": "UDP", "port": settings.media_udp_port}]
    reachable = {"to": [{"ipBlock": {"cidr": f"{settings.host}/32"}}], "ports": ports}
    return {
        "bot": {"browser": {"options": {"flags": flags, "sinks": [sink]}}},
        "networkPolicy": {"bots": {"extraEgress": [reachable]}},
        "settings": {"USHER_ALLOWED_PRIVATE_MEETING_HOSTS": HOST},
    }
