"""Authentication: a user by X-API-Key, the operator by X-Admin-API-Key, a gateway of Vexa by X-Internal-Secret.

No key is ever logged. A user's key is looked up in the database and cached for a few seconds, so a revoked key stops
working within them. The cache holds the key's digest, never the key.
"""

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from usher_models.db import api_tokens
from usher_models.db.api_tokens import KeyOwner
from usher_models.db.engine import Database
from usher_models.errors import Forbidden, Unauthorized, Unavailable, UsherError
from usher_operator.api.framework.route import Caller, Route

USER_HEADER = "X-API-Key"
ADMIN_HEADER = "X-Admin-API-Key"
GATEWAY_HEADER = "X-Internal-Secret"
CACHED_S = 5.0
CACHE_MAX_KEYS = 10_000


@dataclass(kw_only=True)
class UserKeys:
    """The keys of users."""

    database: Database
    clock: Callable[[], float] = time.monotonic
    _cache: dict[bytes, tuple[float, KeyOwner]] = field(default_factory=dict)

    async def owner(self, key: str | None, *, scopes: frozenset[str]) -> KeyOwner:
        """The owner of `key`. Raises Unauthorized, or Forbidden when the key has none of `scopes`."""
        if not key or not key.isascii() or "\0" in key:
            raise Unauthorized(f"The header {USER_HEADER} is missing or is not a key.")
        owner = await self._look_up(key)
        if scopes and owner.scopes and not scopes & owner.scopes:
            raise Forbidden(f"The key lacks a scope for this request: {' or '.join(sorted(scopes))}.")
        return owner

    async def _look_up(self, key: str) -> KeyOwner:
        digest = api_tokens.digest(key)
        until, owner = self._cache.get(digest, (0.0, None))
        now = self.clock()
        if owner is not None and now < until:
            return owner
        self._cache.pop(digest, None)
        async with self.database.reading() as connection:
            owner = await api_tokens.owner_of(connection, key)
        if owner is None:
            raise Unauthorized("The API key is unknown, revoked or expired.")
        self._keep(digest, owner, now=now)
        return owner

    def _keep(self, digest: bytes, owner: KeyOwner, *, now: float) -> None:
        if len(self._cache) >= CACHE_MAX_KEYS:
            self._cache.clear()
        left = CACHED_S if owner.expires_in_s is None else min(CACHED_S, owner.expires_in_s)
        self._cache[digest] = (now + left, owner)


@dataclass(frozen=True, kw_only=True)
class SharedSecret:
    """A secret that a caller sends in a header. While it is empty, its routes answer `disabled`.

    A wrong secret is 403, as in Vexa, whose clients take a 401 for a wrong key of the user.
    """

    secret: SecretStr
    header: str
    disabled: UsherError

    def check(self, given: str | None) -> None:
        """Raise Forbidden unless `given` is the secret."""
        expected = self.secret.get_secret_value()
        if not expected:
            raise self.disabled
        if not hmac.compare_digest((given or "").encode(errors="replace"), expected.encode()):
            raise Forbidden(f"The header {self.header} is missing or wrong.")


def admin_key(secret: SecretStr) -> SharedSecret:
    """The operator's key."""
    disabled = Forbidden("The admin API is disabled: USHER_ADMIN_API_KEY is not set.")
    return SharedSecret(secret=secret, header=ADMIN_HEADER, disabled=disabled)


def gateway_secret(secret: SecretStr) -> SharedSecret:
    """The secret of Vexa's gateways, which take a 403 for an invalid key and a 503 for what it is."""
    disabled = Unavailable("Usher does not accept gateways: USHER_GATEWAY_SECRET is not set.")
    return SharedSecret(secret=secret, header=GATEWAY_HEADER, disabled=disabled)


@dataclass(frozen=True, kw_only=True)
class Authentication:
    """Who may call which route."""

    users: UserKeys
    admin: SharedSecret
    gateway: SharedSecret

    async def authenticate(self, route: Route, headers: Mapping[str, str]) -> KeyOwner | None:
        """The owner of the caller's key, None for a caller that is not a user. Raises Unauthorized or Forbidden."""
        if route.caller is Caller.USER:
            return await self.users.owner(headers.get(USER_HEADER), scopes=route.scopes)
        secret, header = (self.admin, ADMIN_HEADER) if route.caller is Caller.ADMIN else (self.gateway, GATEWAY_HEADER)
        secret.check(headers.get(header))
        return None
