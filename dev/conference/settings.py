"""Where the conference lives and listens. One frozen object, made when a command begins."""

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

from dev.cluster import settings as cluster_settings

REPOSITORY = Path(__file__).resolve().parents[2]
LIVEKIT_MODULE = Path(__file__).resolve().parent / "livekit"
SERVER_SOURCES = Path(__file__).resolve().parent / "server"
WEB_SOURCES = Path(__file__).resolve().parent / "web"
NODE_PACKAGES = ("nodejs", "npm")
API_KEY = "usher-conference"
API_SECRET = "for-tests-only-and-known-to-every-reader"  # it signs tickets of a server that listens on loopback only


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Paths and ports of a conference. `name` is empty for the one on loopback."""

    cache: Path
    name: str = ""
    host: str = "127.0.0.1"
    interface: str = "lo"
    signal_port: int = 17880
    media_tcp_port: int = 17881
    media_udp_port: int = 17882
    meeting_port: int = 17890
    jitsi_port: int = 17891
    stand_ins_port: int = 17892
    sink_port: int = 17893

    @property
    def home(self) -> Path:
        """What conferences share: pages, certificate, voice."""
        return self.cache / "conference"

    @property
    def state(self) -> Path:
        """What is this one's: configuration, logs, recordings."""
        return self.home / self.name if self.name else self.home

    @property
    def certificate(self) -> Path:
        return self.home / "tls" / "conference.crt"

    @property
    def key(self) -> Path:
        return self.home / "tls" / "conference.key"

    @property
    def voice(self) -> Path:
        """What a test's host says into the microphone."""
        return self.home / "voice.wav"

    @property
    def livekit_config(self) -> Path:
        return self.state / "livekit.yaml"

    @property
    def recordings(self) -> Path:
        """Where bots' sound goes that is sent to the sink."""
        return self.state / "recordings"

    @property
    def livekit_url(self) -> str:
        return f"http://{self.host}:{self.signal_port}"

    @property
    def meeting_url(self) -> str:
        return f"https://{self.host}:{self.meeting_port}"

    @property
    def stand_ins(self) -> str:
        """What a browser must be told so that the platforms' own hosts are the stand-ins."""
        hosts = (
            "*.google.com",
            "teams.live.com",
            "teams.microsoft.com",
            "login.microsoftonline.com",
            "*.zoom.us",
            "zoom.us",
        )
        rules = ",".join(f"MAP {host} {self.host}:{self.stand_ins_port}" for host in hosts)
        return f"--host-resolver-rules={rules}"

    @property
    def jitsi_url(self) -> str:
        return f"https://{self.host}:{self.jitsi_port}"


def load() -> Settings:
    """The settings of this machine; USHER_CACHE moves everything that is kept, and USHER_CONFERENCE_PORT the ports, for
    one beside another checkout's."""
    cache = Path(os.environ.get("USHER_CACHE") or Path.home() / ".cache" / "usher").resolve()
    first = int(os.environ.get("USHER_CONFERENCE_PORT") or Settings.signal_port)
    if first == Settings.signal_port:
        return Settings(cache=cache)
    return _moved(Settings(cache=cache, name=f"at-{first}"), by=first - Settings.signal_port)


def _moved(settings: Settings, *, by: int) -> Settings:
    ports = {field.name: getattr(settings, field.name) + by for field in fields(settings) if "port" in field.name}
    return replace(settings, **ports)


def for_cluster() -> Settings:
    """A conference that pods of the local cluster reach, on the bridge's address, beside the one on loopback."""
    cluster = cluster_settings.load()
    return replace(
        load(),
        name="cluster",
        host=cluster.node_ip,
        interface=cluster.bridge,
        signal_port=18880,
        media_tcp_port=18881,
        media_udp_port=18882,
        meeting_port=18890,
        jitsi_port=18891,
        stand_ins_port=18892,
        sink_port=18893,
    )
