"""Where the cluster lives and listens. One frozen object, made when a command begins and passed to everything."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FILES = Path(__file__).resolve().parent / "files"
GO_MODULES = Path(__file__).resolve().parent / "go"

PACKAGES = (
    "buildah",
    "ca-certificates",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "iproute2",
    "ipset",
    "iptables",
    "mmdebstrap",
    "openssl",
    "python3-venv",
    "runc",
    "util-linux",
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Paths, addresses and names of the cluster."""

    cache: Path
    run: Path = Path("/run/usher-cluster")  # sockets and mounts: short paths, gone with the machine's /run
    node: str = "usher-local"
    cluster: str = "usher"
    bridge: str = "usher0"
    node_ip: str = "10.244.0.1"  # the bridge's own address: pods can reach it, nothing outside the machine can
    pod_cidr: str = "10.244.0.0/24"
    service_cidr: str = "10.96.0.0/16"
    apiserver_port: int = 6443
    etcd_port: int = 2379
    controller_manager_port: int = 10257
    scheduler_port: int = 10259
    folder: str = "local"

    @property
    def home(self) -> Path:
        return self.cache / "cluster"

    @property
    def state(self) -> Path:
        """What `down --purge` removes: the cluster's data, certificates, logs and images."""
        return self.home / self.folder

    @property
    def builds(self) -> Path:
        """What outlives a purge: programs, keyed by what they were built from."""
        return self.home / "builds"

    @property
    def image_store(self) -> Path:
        """buildah's storage: our own, so that leftovers of a killed build can be removed without asking whose."""
        return self.home / "images"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def audit_log(self) -> Path:
        return self.state / "audit" / "audit.log"

    @property
    def marker(self) -> str:
        """What the arguments of each of the cluster's processes hold, and no other process's."""
        return f"{self.state}/"

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def server(self) -> str:
        return f"https://{self.node_ip}:{self.apiserver_port}"

    def kubeconfig(self, user: str = "admin") -> Path:
        return self.state / "kubeconfig" / f"{user}.yaml"


def load() -> Settings:
    """The settings of this machine; USHER_CACHE moves everything that is kept.

    Another cache is another cluster, with sockets of its own; the addresses are the same, so one runs at a time.
    """
    usual = (Path.home() / ".cache" / "usher").resolve()
    cache = Path(os.environ.get("USHER_CACHE") or usual).expanduser().resolve()
    if cache == usual:
        return Settings(cache=cache)
    return Settings(cache=cache, run=Path(f"/run/usher-{hashlib.sha256(str(cache).encode()).hexdigest()[:8]}"))
