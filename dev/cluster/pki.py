"""The cluster's certificates and the kubeconfigs that use them, made once with openssl.

They are made under another name and renamed when complete, so that a killed run leaves all of them or none.
They live as long as the cluster's state: `down --purge` removes them.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.settings import Settings
from dev.machine.commands import attempt, run
from dev.machine.errors import DevError
from dev.machine.progress import Progress

DAYS = "3650"
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a certificate is for. `names` are the subject's alternative names."""

    user: str
    subject: str
    names: str = "DNS:localhost"


def identities(settings: Settings) -> list[Identity]:
    """Everyone who speaks TLS in the cluster."""
    service_ip = f"{settings.service_cidr.rsplit('.', 1)[0]}.1"
    kubernetes = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    served = ",".join(["DNS:localhost", *(f"DNS:{name}" for name in kubernetes)])
    addresses = f"IP:127.0.0.1,IP:{settings.node_ip}"
    node = f"DNS:{settings.node},{addresses}"
    return [
        Identity(user="apiserver", subject="/CN=kube-apiserver", names=f"{served},IP:{service_ip},{addresses}"),
        Identity(user="admin", subject="/O=system:masters/CN=admin"),
        Identity(user="controller-manager", subject="/CN=system:kube-controller-manager"),
        Identity(user="scheduler", subject="/CN=system:kube-scheduler"),
        Identity(user="kubelet", subject=f"/O=system:nodes/CN=system:node:{settings.node}", names=node),
        Identity(user="kube-proxy", subject="/CN=system:kube-proxy"),
        Identity(user="coredns", subject="/CN=system:coredns"),
        Identity(user="kube-router", subject="/CN=system:kube-router"),
    ]


def ensure(settings: Settings, *, progress: Progress) -> None:
    """Make the certificates and kubeconfigs where there are none."""
    if settings.pki.exists():
        _refuse_expired(settings)
    else:
        with progress.step("making certificates"):
            _make(settings)
    for identity in identities(settings):
        if not (settings.pki / f"{identity.user}.crt").exists():  # an identity younger than the cluster
            _make_certificate(settings.pki, identity)
        _write_kubeconfig(settings, identity.user)


def _make(settings: Settings) -> None:
    unfinished = settings.pki.with_name("pki.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True, mode=0o700)
    _make_authority(unfinished)
    for identity in identities(settings):
        _make_certificate(unfinished, identity)
    _make_token_key(unfinished)
    unfinished.rename(settings.pki)


def _make_authority(folder: Path) -> None:
    key, certificate = str(folder / "ca.key"), str(folder / "ca.crt")
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"]
    argv = ["openssl", "req", "-x509", *NEW_KEY, "-keyout", key, "-out", certificate, "-days", DAYS]
    run([*argv, "-subj", "/CN=usher-ca", *usage])


def _make_certificate(folder: Path, identity: Identity) -> None:
    name = str(folder / identity.user)
    request = ["openssl", "req", "-new", *NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr"]
    run([*request, "-subj", identity.subject])
    extensions = folder / f"{identity.user}.ext"
    extensions.write_text(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        "extendedKeyUsage=serverAuth,clientAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
        f"subjectAltName={identity.names}\n"
    )
    signer = ["-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-days", DAYS]
    signed = ["openssl", "x509", "-req", "-in", f"{name}.csr", *signer, "-out", f"{name}.crt"]
    run([*signed, "-extfile", str(extensions)])


def _make_token_key(folder: Path) -> None:
    """The key that signs ServiceAccount tokens."""
    key, public = str(folder / "tokens.key"), str(folder / "tokens.pub")
    run(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key])
    run(["openssl", "ec", "-in", key, "-pubout", "-out", public])


def _refuse_expired(settings: Settings) -> None:
    chain = ["openssl", "verify", "-CAfile", str(settings.pki / "ca.crt"), str(settings.pki / "apiserver.crt")]
    if attempt(chain).returncode != 0:
        raise DevError(
            f"The certificates in {settings.pki} are not valid at this machine's time; "
            "make a new cluster with `down --purge` and `up`."
        )


def _write_kubeconfig(settings: Settings, user: str) -> None:
    path = settings.kubeconfig(user)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority, name = f"{settings.pki}/ca.crt", f"{settings.pki}/{user}"
    path.write_text(
        f"""apiVersion: v1
kind: Config
clusters: [{{name: usher, cluster: {{server: "{settings.server}", certificate-authority: {authority}}}}}]
users: [{{name: {user}, user: {{client-certificate: {name}.crt, client-key: {name}.key}}}}]
contexts: [{{name: usher, context: {{cluster: usher, user: {user}}}}}]
current-context: usher
"""
    )
