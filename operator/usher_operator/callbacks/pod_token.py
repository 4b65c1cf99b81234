"""Which pod calls: a bot proves itself with the ServiceAccount token that Kubernetes bound to its pod.

Verified offline against the cluster's published keys: signature, issuer, audience, expiry, namespace, ServiceAccount.
Whether the pod belongs to the meeting's Job is checked with the meeting's row. Bots hold no other credential.
Source of the claims: Kubernetes, "Managing Service Accounts", bound ServiceAccount tokens.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from usher_models.db.speaker import Speaker
from usher_models.errors import Forbidden, Unauthorized
from usher_operator.callbacks.cluster_keys import KeyRing

ALGORITHMS = ("RS256", "ES256", "RS384", "RS512", "ES384", "ES512")
LEEWAY_S = 5
TOKEN_MAX_LENGTH = 8192
# A verified token is known by its digest: about 600 bytes for each of the bots that speak to this process.
MOST_VERIFIED = 131_072


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verified:
    pod: Speaker
    until: float
    generation: int


class TokenVerifier:
    """Turns a bearer token into the identity of a pod.

    A token is verified once: a signature costs more than all else a heartbeat does. It counts as verified until it
    expires or the cluster's keys change; `clock` is in UNIX seconds. Without `issuers`, those are accepted that the
    cluster publishes.
    """

    def __init__(
        self,
        keys: KeyRing,
        *,
        issuers: Collection[str] = (),
        audience: str,
        namespaces: tuple[str, ...],
        service_account: str,
        clock: Callable[[], float] = time.time,
        most_verified: int = MOST_VERIFIED,
    ) -> None:
        self._clock = clock
        self._most_verified = most_verified
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._keys = keys
        self._own_issuers = list(issuers)
        self._audience = audience
        self._namespaces = namespaces
        self._service_account = service_account

    async def verify(self, authorization: str | None) -> Speaker:
        """The pod behind an Authorization header. Raises Unauthorized, Forbidden, KubernetesUnavailable."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("Send the pod's ServiceAccount token as `Authorization: Bearer …`.")
        if len(token) > TOKEN_MAX_LENGTH:
            raise Unauthorized("The token is too long to be one of this cluster's.")
        name = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        known = self._verified.get(name)
        if known and known.generation == self._keys.generation and self._clock() < known.until:
            self._verified.move_to_end(name)
            return known.pod
        self._verified.pop(name, None)
        claims = await self._claims(token)
        pod = self._identity(claims)
        self._verified[name] = _Verified(
            pod=pod, until=float(claims["exp"]) + LEEWAY_S, generation=self._keys.generation
        )
        if len(self._verified) > self._most_verified:
            self._verified.popitem(last=False)
        return pod

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            return await self._decode(token)
        except jwt.InvalidIssuerError as exc:
            # The cluster's keys have signed it: it may have another issuer now.
            await self._keys.look_again()
            try:
                return await self._decode(token)
            except jwt.PyJWTError:
                raise Unauthorized from exc
        except jwt.ExpiredSignatureError as exc:
            raise Unauthorized("The token has expired; read the token file again.") from exc
        except jwt.InvalidAudienceError as exc:
            raise Unauthorized(f"The token is not meant for {self._audience}.") from exc
        except (jwt.PyJWTError, UnicodeError) as exc:
            raise Unauthorized from exc

    async def _decode(self, token: str) -> dict[str, Any]:
        kid = jwt.get_unverified_header(token).get("kid")
        if not kid:
            raise Unauthorized("The token names no key.")
        return jwt.decode(
            token,
            await self._keys.key(str(kid)),
            algorithms=ALGORITHMS,
            audience=self._audience,
            issuer=self._own_issuers or self._keys.issuers,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )

    def _identity(self, claims: Mapping[str, Any]) -> Speaker:
        bound = claims.get("kubernetes.io")
        namespace = _text(bound, "namespace")
        if namespace not in self._namespaces or _text(bound, "serviceaccount", "name") != self._service_account:
            raise Forbidden("The token does not belong to a bot's ServiceAccount.")
        pod_name, pod_uid = _text(bound, "pod", "name"), _text(bound, "pod", "uid")
        if not pod_name or not pod_uid:
            raise Forbidden("The token is not bound to a pod.")
        # Kubernetes names a Job's pods after the Job: its name and five characters.
        return Speaker(namespace=namespace, job_name=pod_name.rpartition("-")[0], pod_uid=pod_uid)


def _text(claim: object, *path: str) -> str:
    """The text at `path` inside a claim; empty when there is none, whatever the claim's shape."""
    for name in path:
        claim = claim.get(name) if isinstance(claim, dict) else None
    return claim if isinstance(claim, str) else ""
