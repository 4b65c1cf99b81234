"""The control plane as native processes: etcd, API server, controller manager, scheduler.

Everything but the API server listens on loopback only; the API server listens on the bridge's address, which
pods and this machine reach and nothing outside does.
"""

from dev.cluster.binaries import program
from dev.cluster.component import Component, answers, flagged, process, trusting, trusting_anyone
from dev.cluster.config_files import ConfigFile
from dev.cluster.settings import FILES, Settings

# Stock limits (20 requests/s) would make the controllers, not Usher, the slowest part of each test.
QPS = {"kube-api-qps": "200", "kube-api-burst": "400"}
LOOPBACK = "127.0.0.1"


def etcd(settings: Settings) -> Component:
    client, peer = f"http://{LOOPBACK}:{settings.etcd_port}", f"http://{LOOPBACK}:{settings.etcd_port + 1}"
    flags = {
        "data-dir": f"{settings.state}/etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
        "auto-compaction-retention": "1h",
        "log-level": "warn",
    }
    return Component(
        process=process(settings, "etcd", flagged(program(settings, "etcd"), flags)),
        healthy=lambda: answers(LOOPBACK, settings.etcd_port, "/health"),
    )


def apiserver(settings: Settings) -> Component:
    flags = {**listening(settings), **identity(settings), **tokens(settings), **_audit(settings)}
    trusted = settings.pki / "ca.crt"
    return Component(
        process=process(settings, "apiserver", flagged(program(settings, "kube-apiserver"), flags)),
        healthy=lambda: answers(settings.node_ip, settings.apiserver_port, "/readyz", trusted=trusting(trusted)),
    )


def listening(settings: Settings) -> dict[str, str]:
    """Where the API server listens, and what it admits."""
    return {
        "etcd-servers": f"http://{LOOPBACK}:{settings.etcd_port}",
        "bind-address": settings.node_ip,
        "advertise-address": settings.node_ip,
        "secure-port": str(settings.apiserver_port),
        "service-cluster-ip-range": settings.service_cidr,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "profiling": "false",
    }


def identity(settings: Settings) -> dict[str, str]:
    """Its certificates, and whose it trusts."""
    pki = settings.pki
    return {
        "tls-cert-file": f"{pki}/apiserver.crt",
        "tls-private-key-file": f"{pki}/apiserver.key",
        "client-ca-file": f"{pki}/ca.crt",
        "kubelet-preferred-address-types": "InternalIP",  # the node's name resolves nowhere
        "kubelet-certificate-authority": f"{pki}/ca.crt",
        "kubelet-client-certificate": f"{pki}/admin.crt",
        "kubelet-client-key": f"{pki}/admin.key",
    }


def tokens(settings: Settings) -> dict[str, str]:
    """How it signs ServiceAccount tokens."""
    return {
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": f"{settings.pki}/tokens.pub",
        "service-account-signing-key-file": f"{settings.pki}/tokens.key",
    }


def audit_policy() -> ConfigFile:
    return ConfigFile("audit-policy.yaml", (FILES / "audit-policy.yaml").read_text())


def _audit(settings: Settings) -> dict[str, str]:
    return {
        "audit-policy-file": str(audit_policy().path(settings)),
        "audit-log-path": str(settings.audit_log),
        "audit-log-maxsize": "50",  # MB each
        "audit-log-maxbackup": "2",
    }


def controller_manager(settings: Settings) -> Component:
    flags = {
        **QPS,
        "kubeconfig": str(settings.kubeconfig("controller-manager")),
        "bind-address": LOOPBACK,
        "secure-port": str(settings.controller_manager_port),
        "service-account-private-key-file": f"{settings.pki}/tokens.key",
        "root-ca-file": f"{settings.pki}/ca.crt",
        "use-service-account-credentials": "true",
        "cluster-cidr": settings.pod_cidr,
        "concurrent-job-syncs": "10",
        "leader-elect": "false",
    }
    return Component(
        process=process(settings, "controller-manager", flagged(program(settings, "kube-controller-manager"), flags)),
        healthy=lambda: answers(LOOPBACK, settings.controller_manager_port, "/healthz", trusted=trusting_anyone()),
    )


def scheduler(settings: Settings) -> Component:
    flags = {
        **QPS,
        "kubeconfig": str(settings.kubeconfig("scheduler")),
        "bind-address": LOOPBACK,
        "secure-port": str(settings.scheduler_port),
        "leader-elect": "false",
    }
    return Component(
        process=process(settings, "scheduler", flagged(program(settings, "kube-scheduler"), flags)),
        healthy=lambda: answers(LOOPBACK, settings.scheduler_port, "/healthz", trusted=trusting_anyone()),
    )
