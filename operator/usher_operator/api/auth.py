"""Authentication: a user by X-API-Key, the operator by X-Admin-API-Key. A key is never logged.

A user's key is looked up in the database and cached for a few seconds, so a revoked key stops working within them. The
cache holds the key's digest, never the key.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import SecretStr

from usher_models.db import api_tokens
from usher_models.db.api_tokens import KeyOwner
from usher_models.db.engine import Database
from usher_models.errors import Forbidden, Unauthorized

USER_HEADER = "X-API-Key"
ADMIN_HEADER = "X-Admin-API-Key"
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
        digest = hashlib.sha256(key.encode()).digest()
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
class AdminKey:
    """The operator's key; without one the admin API is disabled."""

    key: SecretStr

    def check(self, given: str | None) -> None:
        """Raise Forbidden while the admin API is disabled, Unauthorized unless `given` is the key."""
        expected = self.key.get_secret_value()
        if not expected:
            raise Forbidden("The admin API is disabled: USHER_ADMIN_API_KEY is not set.")
        if not hmac.compare_digest((given or "").encode(errors="replace"), expected.encode()):
            raise Unauthorized(f"The header {ADMIN_HEADER} is missing or wrong.")
