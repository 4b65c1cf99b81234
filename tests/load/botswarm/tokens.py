"""Tokens as the kubelet projects them, signed with the cluster's own ServiceAccount key: `serve` verifies them as any.

The local cluster keeps that key at hand (`dev/cluster`); with another one, give the harness's `serve` an API that
publishes a key of yours at /openid/v1/jwks. A token names the bot's pod, lives an hour and is signed anew at
four fifths of it.
"""

import base64
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from dev.cluster.settings import Settings

if TYPE_CHECKING:
    from tests.load.botswarm.bot import Identity

LIFETIME_S = 3600
ISSUER = "https://kubernetes.default.svc.cluster.local"
AUDIENCE = "usher-callback"
SERVICE_ACCOUNT = "usher-bot"


@dataclass(frozen=True, kw_only=True)
class Token:
    """One signed token, and until when (UNIX seconds) it is used."""

    text: str
    used_until: float


class TokenSigner:
    """Signs tokens with a PEM key: the elliptic or RSA one behind the cluster's `service-account-key-file`."""

    def __init__(
        self,
        pem: bytes,
        *,
        issuer: str = ISSUER,
        audience: str = AUDIENCE,
        service_account: str = SERVICE_ACCOUNT,
    ) -> None:
        self._key = load_pem_private_key(pem, password=None)
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        # Kubernetes' own way to name a key: pkg/serviceaccount/jwt.go, keyIDFromPublicKey.
        self.kid = base64.urlsafe_b64encode(hashlib.sha256(public).digest()).rstrip(b"=").decode()
        self.algorithm = "RS256" if hasattr(self._key, "decrypt") else "ES256"
        self._issuer, self._audience, self._service_account = issuer, audience, service_account

    @classmethod
    def of_cluster(cls, settings: Settings) -> "TokenSigner":
        """The signer of the local cluster (`dev/cluster`)."""
        return cls.of_file(settings.pki / "tokens.key")

    @classmethod
    def of_file(cls, path: Path, *, issuer: str = ISSUER) -> "TokenSigner":
        """The signer with the key in that PEM file."""
        return cls(path.read_bytes(), issuer=issuer)

    def token(self, bot: "Identity", *, lifetime_s: float = LIFETIME_S) -> Token:
        """A fresh token of that bot's pod."""
        now = time.time()
        bound = {
            "namespace": bot.namespace,
            "node": {"name": "kwok-0", "uid": "00000000-0000-4000-8000-000000000000"},
            "pod": {"name": bot.pod_name, "uid": bot.pod_uid},
            "serviceaccount": {"name": self._service_account, "uid": "00000000-0000-4000-8000-000000000001"},
        }
        claims = {
            "aud": [self._audience],
            "exp": int(now + lifetime_s),
            "iat": int(now) - 1,
            "nbf": int(now) - 1,
            "iss": self._issuer,
            "jti": bot.pod_uid,
            "kubernetes.io": bound,
            "sub": f"system:serviceaccount:{bot.namespace}:{self._service_account}",
        }
        text = jwt.encode(claims, self._key, algorithm=self.algorithm, headers={"kid": self.kid})  # type: ignore[arg-type]
        return Token(text=text, used_until=now + 0.8 * lifetime_s)
