"""Which pod calls: a bot proves itself with the ServiceAccount token that Kubernetes bound to its pod.

Verified offline against the cluster's published keys: signature, issuer, audience, expiry, namespace, ServiceAccount.
Whether the pod belongs to the meeting's Job is checked with the meeting's row. Bots hold no other credential.
Source of the claims: Kubernetes, "Managing Service Accounts", bound ServiceAccount tokens.
"""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from usher_models.db.speaker import Speaker
from usher_models.errors import Forbidden, KubernetesUnavailable, Unauthorized

logger = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "ES256", "RS384", "RS512", "ES384", "ES512")
LEEWAY_S = 5
TOKEN_MAX_LENGTH = 8192
# A token with an unknown key may mean that the cluster rotated its keys, or that somebody is guessing.
REFRESH_AT_MOST_EVERY_S = 10
# A verified token is known by its digest: about 600 bytes for each of the bots that speak to this process.
MOST_VERIFIED = 131_072

FetchKeys = Callable[[], Awaitable[Mapping[str, Any]]]


class KeyRing:
    """The cluster's public keys, cached for good and fetched again when an unknown one turns up."""

    def __init__(self, fetch: FetchKeys, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._tried_at = float("-inf")
        self._lock = asyncio.Lock()
        self.generation = 0
        """Grows whenever the keys were fetched: what an older set proved is to be proved again."""

    async def key(self, kid: str) -> jwt.PyJWK:
        """The key of that id. Raises Unauthorized for none, KubernetesUnavailable when no key was ever fetched."""
        if kid not in self._keys:
            await self.refresh()
        if kid not in self._keys:
            raise Unauthorized("The token is signed by no key of this cluster.")
        return self._keys[kid]

    async def refresh(self) -> None:
        """Fetch the keys, but for the first ones at most every few seconds; with the API server away, the old stay."""
        async with self._lock:
            if self._keys and self._clock() - self._tried_at < REFRESH_AT_MOST_EVERY_S:
                return
            self._tried_at = self._clock()
            try:
                document = await self._fetch()
            except KubernetesUnavailable:
                if not self._keys:
                    raise
                logger.warning("The cluster's keys could not be fetched anew.", extra={"action": "keys_stale"})
                return
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(dict(document)).keys if key.key_id}
            self.generation += 1


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verified:
    pod: Speaker
    until: float
    generation: int


class TokenVerifier:
    """Turns a bearer token into the identity of a pod.

    A token is verified once: a signature costs more than all else a heartbeat does. It counts as verified until it
    expires or the cluster's keys are fetched anew; `clock` is in UNIX seconds.
    """

    def __init__(
        self,
        keys: KeyRing,
        *,
        issuer: str,
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
        self._issuer = issuer
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
            kid = jwt.get_unverified_header(token).get("kid")
            if not kid:
                raise Unauthorized("The token names no key.")
            return jwt.decode(
                token,
                await self._keys.key(str(kid)),
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError as exc:
            raise Unauthorized("The token has expired; read the token file again.") from exc
        except jwt.InvalidAudienceError as exc:
            raise Unauthorized(f"The token is not meant for {self._audience}.") from exc
        except (jwt.PyJWTError, UnicodeError) as exc:
            raise Unauthorized from exc

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
