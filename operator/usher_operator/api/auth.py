"""Who calls: a user by X-API-Key, or the operator by X-Admin-API-Key. A key is never logged.

A user's key is looked up in the database and remembered for a few seconds, so that a revoked one stops working within
them. What is remembered is the key's digest, never the key.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import SecretStr

from usher_models.db import api_tokens
from usher_models.db.api_tokens import Holder
from usher_models.db.engine import Database
from usher_models.errors import Forbidden, Unauthorized

USER_HEADER = "X-API-Key"
ADMIN_HEADER = "X-Admin-API-Key"
REMEMBERED_S = 5.0
MOST_REMEMBERED = 10_000


@dataclass(kw_only=True)
class UserKeys:
    """The keys of users."""

    database: Database
    clock: Callable[[], float] = time.monotonic
    _known: dict[bytes, tuple[float, Holder]] = field(default_factory=dict)

    async def holder(self, key: str | None, *, scopes: frozenset[str]) -> Holder:
        """Whom `key` stands for. Raises Unauthorized, or Forbidden when it has none of `scopes`."""
        if not key or not key.isascii() or "\0" in key:
            raise Unauthorized(f"The header {USER_HEADER} is missing or not a key.")
        holder = await self._find(key)
        if scopes and holder.scopes and not scopes & holder.scopes:
            raise Forbidden(f"This key lacks the scope for that: it needs {' or '.join(sorted(scopes))}.")
        return holder

    async def _find(self, key: str) -> Holder:
        name = hashlib.sha256(key.encode()).digest()
        until, holder = self._known.get(name, (0.0, None))
        now = self.clock()
        if holder is not None and now < until:
            return holder
        self._known.pop(name, None)
        async with self.database.reading() as connection:
            holder = await api_tokens.holder_of(connection, key)
        if holder is None:
            raise Unauthorized("The API key is unknown, revoked or expired.")
        self._remember(name, holder, now=now)
        return holder

    def _remember(self, name: bytes, holder: Holder, *, now: float) -> None:
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        left = REMEMBERED_S if holder.expires_in_s is None else min(REMEMBERED_S, holder.expires_in_s)
        self._known[name] = (now + left, holder)


@dataclass(frozen=True, kw_only=True)
class AdminKey:
    """The operator's key; without one the admin API is off."""

    key: SecretStr

    def check(self, given: str | None) -> None:
        """Raise Forbidden when the admin API is off, Unauthorized unless `given` is the key."""
        expected = self.key.get_secret_value()
        if not expected:
            raise Forbidden("The admin API is off: USHER_ADMIN_API_KEY is not set.")
        if not hmac.compare_digest((given or "").encode(errors="replace"), expected.encode()):
            raise Unauthorized(f"The header {ADMIN_HEADER} is missing or wrong.")
