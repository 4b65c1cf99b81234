"""The keys and issuers of the cluster's ServiceAccount tokens, as the API server publishes them.

They are fetched at the start, again every few minutes, and when a token names an unknown key or issuer. A key that the
cluster withdrew is trusted until the next fetch that succeeds: while the API server is away the old ones stay, because
bots must go on. All that wait for a fetch share it, and wait for a few seconds only.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

import jwt

from usher_models.errors import KubernetesUnavailable, Unauthorized

logger = logging.getLogger(__name__)

REFRESH_EVERY_S = 300.0
RETRY_AFTER_S = 5.0
# An unknown key may mean that the cluster rotated its keys, or that a client is guessing.
REFRESH_AT_MOST_EVERY_S = 10
# A half-open API server must not hold up those who wait for their answer.
WAIT_AT_MOST_S = 5.0
# Tokens live for an hour by default: after an issuer migration those of the earlier issuer are valid for that long.
ISSUER_KEPT_S = 7200.0

FetchKeys = Callable[[], Awaitable[Mapping[str, Any]]]
FetchIssuer = Callable[[], Awaitable[str]]


class KeyRing:
    """The public keys by their ids, and the issuers. Without `fetch_issuer` no issuer is known here."""

    def __init__(
        self,
        fetch: FetchKeys,
        *,
        fetch_issuer: FetchIssuer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._fetch_issuer = fetch_issuer
        self._clock = clock
        self._document: Mapping[str, Any] = {}
        self._keys: dict[str, jwt.PyJWK] = {}
        self._issuers: dict[str, float] = {}
        self._tried_at = float("-inf")
        self._failed = False
        self._refreshing: asyncio.Task[None] | None = None
        self.generation = 0
        """Grows when the keys changed: what an older set proved is to be proved again."""

    @property
    def fetched(self) -> bool:
        """True if there are keys to verify tokens with."""
        return bool(self._keys)

    @property
    def issuers(self) -> list[str]:
        """The cluster's issuer, and those before it whose tokens may still be valid."""
        now = self._clock()
        newest = max(self._issuers.values(), default=now)
        return [name for name, seen_at in self._issuers.items() if seen_at == newest or now - seen_at < ISSUER_KEPT_S]

    async def key(self, kid: str) -> jwt.PyJWK:
        """The key of that id. Raises Unauthorized for none, KubernetesUnavailable if that cannot be known."""
        if kid not in self._keys:
            await self.look_again()
        if kid in self._keys:
            return self._keys[kid]
        if self._failed:
            raise KubernetesUnavailable("The cluster's keys cannot be fetched, and the token has another than the old.")
        raise Unauthorized("The token is signed by no key of this cluster.")

    async def look_again(self) -> None:
        """Fetch anew because something is unknown: at most every few seconds, and for all that ask at once."""
        due = self._clock() - self._tried_at >= REFRESH_AT_MOST_EVERY_S or not self._keys
        if self._refreshing is None and not due:
            return
        try:
            async with asyncio.timeout(WAIT_AT_MOST_S):
                await asyncio.shield(self.refresh())
        except TimeoutError as exc:
            raise KubernetesUnavailable("The API server does not answer with the cluster's keys.") from exc

    def refresh(self) -> "asyncio.Task[None]":
        """Fetch keys and issuer; one fetch at a time, which all share. It never raises; `fetched` tells."""
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh(), name="cluster-keys")
        return self._refreshing

    async def keep_fresh(self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> NoReturn:
        """Refresh for ever: soon again after a failure, else every few minutes."""
        while True:
            await self.refresh()
            await pause(RETRY_AFTER_S if self._failed else REFRESH_EVERY_S)

    async def _refresh(self) -> None:
        try:
            document = await self._fetch()
            issuer = await self._fetch_issuer() if self._fetch_issuer else None
            self._take(document, issuer)
            self._failed = False
        except (KubernetesUnavailable, jwt.PyJWTError, KeyError, TypeError, ValueError) as exc:
            self._failed = True
            what = "the old ones stay" if self._keys else "there are none yet"
            logger.warning("The cluster's keys could not be fetched, %s: %s", what, exc, extra={"action": "keys_stale"})
        finally:
            self._tried_at = self._clock()
            self._refreshing = None

    def _take(self, document: Mapping[str, Any], issuer: str | None) -> None:
        if document != self._document:
            keys = jwt.PyJWKSet.from_dict(dict(document)).keys
            self._keys = {key.key_id: key for key in keys if key.key_id}
            self._document = document
            self.generation += 1
        if issuer:
            self._issuers[issuer] = self._clock()
