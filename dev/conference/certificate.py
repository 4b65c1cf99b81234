"""The conference's certificate, made once with openssl, and the pin by which a browser trusts it and no other."""

import base64
import hashlib
import shutil
import ssl
from pathlib import Path

from dev.conference.settings import Settings
from dev.machine.commands import run

DAYS = "3650"
# The stand-ins answer under the platforms' own names, which the tests' browsers map to loopback.
NAMES = (
    "DNS:localhost",
    "DNS:conference.usher.test",
    "DNS:*.google.com",
    "DNS:teams.live.com",
    "DNS:teams.microsoft.com",
    "DNS:login.microsoftonline.com",
    "DNS:zoom.us",
    "DNS:*.zoom.us",
    "IP:127.0.0.1",
)


def ensure(settings: Settings) -> None:
    """Make the certificate where there is none, or where it lacks a name."""
    folder = settings.certificate.parent
    names = folder / "names"
    if names.exists() and names.read_text() == ",".join(NAMES):
        return
    unfinished = folder.with_name("tls.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True, mode=0o700)
    _make(certificate=unfinished / settings.certificate.name, key=unfinished / settings.key.name)
    (unfinished / "names").write_text(",".join(NAMES))
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def pin(certificate: Path) -> str:
    """The base64 SHA-256 of the public key, as Chromium's --ignore-certificate-errors-spki-list takes it."""
    public = run(["openssl", "x509", "-in", str(certificate), "-pubkey", "-noout"])
    der = ssl.PEM_cert_to_DER_cert(public.replace("PUBLIC KEY", "CERTIFICATE"))
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def _make(*, certificate: Path, key: Path) -> None:
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key)]
    names = ["-subj", "/CN=Usher test conference", "-addext", f"subjectAltName={','.join(NAMES)}"]
    run(["openssl", "req", "-x509", "-sha256", "-days", DAYS, *new_key, *names, "-out", str(certificate)])
