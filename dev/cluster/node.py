"""The node as native processes: containerd, kubelet, kube-proxy, with their configuration files.

The processes read their files once, at their start.
"""

import json
import shutil
from pathlib import Path

from dev.cluster.binaries import program
from dev.cluster.component import Component, answers, flagged, listens, process
from dev.cluster.config_files import ConfigFile
from dev.cluster.settings import REPOSITORY, Settings

CONTAINERD = Path("/usr/bin/containerd")
LOOPBACK = "127.0.0.1"
PAUSE_IMAGE = "usher.dev/pause:dev"
SECCOMP_PROFILE = "usher/chromium.json"


def config_files(settings: Settings) -> list[ConfigFile]:
    """What containerd, kubelet and kube-proxy read at their start."""
    return [_containerd_file(settings), _kubelet_file(settings), _proxy_file(settings)]


def write_network(settings: Settings) -> None:
    """containerd wants a folder for the network's description, and sees by itself when it changes."""
    path = settings.state / "cni" / "10-bridge.conflist"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(network(settings), indent=1))


def write_seccomp_profile(settings: Settings) -> None:
    """Give the node the profile with which Chromium's own sandbox starts; the kubelet reads it when a pod names it."""
    path = settings.state / "kubelet" / "seccomp" / SECCOMP_PROFILE
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(REPOSITORY / "helm" / "usher" / "files" / "seccomp-chromium.json", path)


def containerd(settings: Settings) -> Component:
    return Component(
        process=process(
            settings, "containerd", flagged(CONTAINERD, {"config": str(_containerd_file(settings).path(settings))})
        ),
        healthy=lambda: listens(settings.containerd_socket),
    )


def kubelet(settings: Settings) -> Component:
    flags = {
        "config": str(_kubelet_file(settings).path(settings)),
        "kubeconfig": str(settings.kubeconfig("kubelet")),
        "hostname-override": settings.node,
        "node-ip": settings.node_ip,
        "root-dir": f"{settings.state}/kubelet",
        "cert-dir": f"{settings.state}/kubelet/pki",
    }
    return Component(
        process=process(settings, "kubelet", flagged(program(settings, "kubelet"), flags)),
        healthy=lambda: answers(LOOPBACK, 10248, "/healthz"),
    )


def kube_proxy(settings: Settings) -> Component:
    flags = {"config": str(_proxy_file(settings).path(settings))}
    return Component(
        process=process(settings, "kube-proxy", flagged(program(settings, "kube-proxy"), flags)),
        healthy=lambda: answers(LOOPBACK, 10249, "/healthz"),
    )


def _containerd_file(settings: Settings) -> ConfigFile:
    return ConfigFile("containerd.toml", containerd_toml(settings))


def _kubelet_file(settings: Settings) -> ConfigFile:
    return ConfigFile("kubelet.yaml", json.dumps(kubelet_configuration(settings), indent=1))


def _proxy_file(settings: Settings) -> ConfigFile:
    return ConfigFile("kube-proxy.yaml", json.dumps(proxy_configuration(settings), indent=1))


def containerd_toml(settings: Settings) -> str:
    """containerd's settings: everything under our own folders, beside any other containerd of the machine.

    restrict_oom_score_adj: without CAP_SYS_RESOURCE, even root may not lower a score, and no pod would start.
    """
    return f"""version = 2
root = "{settings.state}/containerd"
state = "{settings.run}/containerd"
[grpc]
  address = "{settings.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "{settings.run}/runc"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{settings.state}/cni"
"""


def network(settings: Settings) -> dict[str, object]:
    """The pods' network: one bridge. NetworkPolicies are enforced beside it (see policies.py).

    Masquerading is one rule for the whole bridge (see network.py) and not the plugin's chain per pod: those take
    time at each pod's start and stay behind when a session is killed.
    """
    addresses = {
        "type": "host-local",
        "dataDir": f"{settings.run}/addresses",
        "ranges": [[{"subnet": settings.pod_cidr, "gateway": settings.node_ip}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": settings.bridge, "isGateway": True, "hairpinMode": True, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": settings.cluster, "plugins": [bridge]}


def kubelet_configuration(settings: Settings) -> dict[str, object]:
    pki = settings.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": settings.node_ip,
        "healthzBindAddress": LOOPBACK,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/kubelet.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet.key",
        "clusterDNS": [settings.node_ip],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "containerRuntimeEndpoint": f"unix://{settings.containerd_socket}",
        "podLogsDir": f"{settings.state}/pods",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,  # never: nothing could pull an image back
        "maxPods": 250,
        **_quick(),
    }


def _quick() -> dict[str, object]:
    """Stock limits are for thousands of nodes; with one, tests would wait for them."""
    return {
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "eventRecordQPS": 0,
        "serializeImagePulls": False,
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "5s",
    }


def proxy_configuration(settings: Settings) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(settings.kubeconfig("kube-proxy"))},
        "bindAddress": settings.node_ip,
        "healthzBindAddress": f"{LOOPBACK}:10256",
        "metricsBindAddress": f"{LOOPBACK}:10249",
        "mode": "iptables",
        "iptables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
        "clusterCIDR": settings.pod_cidr,
        "hostnameOverride": settings.node,
        "nodePortAddresses": ["primary"],
        "conntrack": {"maxPerCore": 0},
    }
