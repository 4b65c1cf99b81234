"""A cluster's token issuer: real keys, real signatures, and every way to get a token wrong.

issuer = TokenIssuer()
issuer.token(pod_name="bot-1-abcde")                       a good token
issuer.token(pod_name="bot-1-abcde", audience="vault")     one for somebody else
issuer.jwks()                                              what the API server publishes
"""

import json
import time
from functools import cache
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://kubernetes.default.svc.cluster.local"
AUDIENCE = "usher-callback"
NAMESPACE = "bots"
SERVICE_ACCOUNT = "usher-bot"

Algorithm = Literal["RS256", "ES256"]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def private_key(algorithm: Algorithm, kid: str) -> PrivateKey:
    """One key per name and run: making an RSA key takes a tenth of a second."""
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


class TokenIssuer:
    """Issues tokens as the API server does for projected volumes."""

    def __init__(self, algorithm: Algorithm = "RS256", *, kid: str = "key-1") -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.key = private_key(algorithm, kid)

    def jwk(self) -> dict[str, Any]:
        """The public key."""
        dump = RSAAlgorithm.to_jwk if self.algorithm == "RS256" else ECAlgorithm.to_jwk
        public: dict[str, Any] = json.loads(dump(self.key.public_key()))  # type: ignore[arg-type]
        return public | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def jwks(self) -> dict[str, Any]:
        """What the API server publishes at /openid/v1/jwks."""
        return {"keys": [self.jwk()]}

    def claims(
        self,
        *,
        pod_name: str | None = "bot-1-abcde",
        pod_uid: str = "pod-uid",
        namespace: str = NAMESPACE,
        service_account: str = SERVICE_ACCOUNT,
        audience: str = AUDIENCE,
        issuer: str = ISSUER,
        expires_in: float = 3600,
    ) -> dict[str, Any]:
        """The claims of a token that is bound to a pod; without `pod_name`, one that is bound to none."""
        now = int(time.time())
        bound: dict[str, Any] = {
            "namespace": namespace,
            "serviceaccount": {"name": service_account, "uid": "sa-uid"},
        }
        if pod_name is not None:
            bound |= {"node": {"name": "node-1", "uid": "node-uid"}, "pod": {"name": pod_name, "uid": pod_uid}}
        return {
            "aud": [audience],
            "exp": int(now + expires_in),
            "iat": now - 10,
            "nbf": now - 10,
            "iss": issuer,
            "jti": "f7e5c7a0-0000-4000-8000-000000000000",
            "kubernetes.io": bound,
            "sub": f"system:serviceaccount:{namespace}:{service_account}",
        }

    def sign(self, claims: dict[str, Any], *, kid: str | None = None) -> str:
        """Those claims, signed."""
        return jwt.encode(claims, self.key, algorithm=self.algorithm, headers={"kid": kid or self.kid})

    def token(self, **claims: Any) -> str:
        """A good token, but for what `claims` say."""
        return self.sign(self.claims(**claims))
