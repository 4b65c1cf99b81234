"""API keys: Usher's own, stored as digests, and the plaintext ones of an older deployment, which keep working.

Usher's own keys stand in `usher.api_keys`. They are 256 random bits, so one round of SHA-256 is enough. In Vexa's
`api_tokens` a digest would be a working key, because Vexa's services compare that column with the key as plain text. Of
`api_tokens`, the columns `scopes`, `name`, `last_used_at` and `expires_at` exist in newer databases only; a missing
column means "no restriction".

No key is a parameter of a statement, because Postgres may log parameters.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.errors import NotFound

PREFIX = "usher_"
# Where the ids of `usher.api_keys` begin.
FIRST_OWN_ID = 1_000_000_000
# The end of a plaintext key that a look-up may show to Postgres; it keeps the hashing to few rows.
TAIL = 4


@dataclass(frozen=True, kw_only=True)
class KeyOwner:
    """The user of a key. Empty scopes permit everything; `expires_in_s` is None for a key that does not expire."""

    token_id: int
    user_id: int
    scopes: frozenset[str]
    expires_in_s: float | None


@dataclass(frozen=True, kw_only=True)
class Token:
    """A key without its secret. `hashed` is False for a plaintext one of an older deployment."""

    id: int
    user_id: int
    name: str | None
    scopes: list[str]
    hashed: bool
    created_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None


def digest(key: str) -> bytes:
    """The stored form of a key."""
    return hashlib.sha256(key.encode()).digest()


_OWN_FIELDS = """
k.id, k.user_id, k.name, k.scopes, true AS hashed, k.created_at, k.expires_at, CAST(NULL AS timestamptz) AS last_used_at
"""

_LEGACY_FIELDS = """
t.id, t.user_id, to_jsonb(t) ->> 'name' AS name,
ARRAY(SELECT coalesce(scope, '') FROM jsonb_array_elements_text(
    CASE WHEN jsonb_typeof(to_jsonb(t) -> 'scopes') = 'array' THEN to_jsonb(t) -> 'scopes' ELSE '[]' END
) AS scope) AS scopes,
false AS hashed, t.created_at AT TIME ZONE 'utc' AS created_at,
CAST(to_jsonb(t) ->> 'expires_at' AS timestamp) AT TIME ZONE 'utc' AS expires_at,
CAST(to_jsonb(t) ->> 'last_used_at' AS timestamp) AT TIME ZONE 'utc' AS last_used_at
"""

_FIND_OWN = text("""
SELECT k.id, k.user_id, k.scopes, extract(epoch FROM k.expires_at - now()) AS expires_in_s
FROM usher.api_keys k JOIN users u ON u.id = k.user_id
WHERE k.digest = :digest
""")

_FIND_LEGACY = text(f"""
SELECT id, user_id, scopes, CASE expires_at WHEN 'infinity' THEN NULL WHEN '-infinity' THEN 0
                            ELSE extract(epoch FROM expires_at - now()) END AS expires_in_s
FROM (
    SELECT {_LEGACY_FIELDS} FROM api_tokens t JOIN users u ON u.id = t.user_id
    WHERE length(t.token) = :length AND right(t.token, {TAIL}) = :tail
      AND sha256(convert_to(t.token, 'UTF8')) = :digest
) AS found
""")


async def owner_of(connection: AsyncConnection, key: str) -> KeyOwner | None:
    """The owner of a key; None for an unknown or expired one."""
    values: dict[str, Any] = {"digest": digest(key)}
    if key.startswith(PREFIX):
        row = (await connection.execute(_FIND_OWN, values)).one_or_none()
    else:
        values |= {"length": len(key), "tail": key[-TAIL:]}
        row = (await connection.execute(_FIND_LEGACY, values)).first()
    return _owner(row) if row is not None else None


def _owner(row: Row[Any]) -> KeyOwner | None:
    left = float(row.expires_in_s) if row.expires_in_s is not None else None
    if left is not None and left <= 0:
        return None
    return KeyOwner(token_id=row.id, user_id=row.user_id, scopes=frozenset(row.scopes), expires_in_s=left)


_CREATE = text(f"""
INSERT INTO usher.api_keys AS k (digest, user_id, name, scopes, expires_at)
SELECT :digest, u.id, CAST(:name AS varchar), CAST(:scopes AS text[]),
       now() + make_interval(secs => CAST(:expires_in_s AS float))
FROM users u WHERE u.id = :user_id
RETURNING {_OWN_FIELDS}
""")


async def create_token(
    connection: AsyncConnection,
    user_id: int,
    *,
    name: str | None = None,
    scopes: list[str] | None = None,
    expires_in_s: float | None = None,
) -> tuple[Token, str]:
    """A new key and its secret, which is not stored. Raises NotFound without such a user."""
    secret = PREFIX + secrets.token_urlsafe(32)
    values = {"digest": digest(secret), "user_id": user_id, "name": name, "scopes": scopes or []}
    row = (await connection.execute(_CREATE, values | {"expires_in_s": expires_in_s})).one_or_none()
    if row is None:
        raise NotFound("The user does not exist.")
    return Token(**row._mapping), secret


_OF_USER = text(f"""
SELECT {_LEGACY_FIELDS} FROM api_tokens t WHERE t.user_id = :user_id
UNION ALL
SELECT {_OWN_FIELDS} FROM usher.api_keys k WHERE k.user_id = :user_id
ORDER BY id
""")


async def tokens_of(connection: AsyncConnection, user_id: int) -> list[Token]:
    """Every key of one user, the oldest first."""
    return [Token(**row._mapping) for row in await connection.execute(_OF_USER, {"user_id": user_id})]


async def revoke_token(connection: AsyncConnection, token_id: int) -> None:
    """Delete a key, which stops working within seconds. Raises NotFound."""
    table = "usher.api_keys" if token_id >= FIRST_OWN_ID else "api_tokens"
    deleted = await connection.execute(text(f"DELETE FROM {table} WHERE id = :id"), {"id": token_id})
    if deleted.rowcount == 0:
        raise NotFound("The token does not exist.")
