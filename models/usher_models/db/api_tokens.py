"""API tokens. New ones are stored as a digest and returned once; plaintext ones of an older deployment keep working.

A token is 256 random bits, so one round of SHA-256 is enough. The columns `scopes`, `name`, `last_used_at` and
`expires_at` exist in newer databases only; a missing column means "no restriction", and a restriction that cannot be
stored is rejected.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.errors import Conflict, NotFound

PREFIX = "usher_"
DIGEST_PREFIX = "usher_sha256:"


@dataclass(frozen=True, kw_only=True)
class KeyOwner:
    """The user of a token. Empty scopes permit everything; `expires_in_s` is None for a token that does not expire."""

    token_id: int
    user_id: int
    scopes: frozenset[str]
    expires_in_s: float | None


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token without its secret."""

    id: int
    user_id: int
    name: str | None
    scopes: list[str]
    hashed: bool
    created_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None


def digest(token: str) -> str:
    """The stored form of a token."""
    return DIGEST_PREFIX + hashlib.sha256(token.encode()).hexdigest()


_FIELDS = """
t.id, t.user_id, t.token, t.created_at,
to_jsonb(t) ->> 'name' AS name,
ARRAY(SELECT jsonb_array_elements_text(CASE WHEN jsonb_typeof(to_jsonb(t) -> 'scopes') = 'array'
                                            THEN to_jsonb(t) -> 'scopes' ELSE '[]' END)) AS scopes,
CAST(to_jsonb(t) ->> 'expires_at' AS timestamp) AS expires_at,
CAST(to_jsonb(t) ->> 'last_used_at' AS timestamp) AS last_used_at
"""

_FIND = text(f"""
SELECT {_FIELDS},
       extract(epoch FROM CAST(to_jsonb(t) ->> 'expires_at' AS timestamp) - (now() AT TIME ZONE 'utc')) AS expires_in_s
FROM api_tokens t JOIN users u ON u.id = t.user_id
WHERE t.token = ANY(:candidates)
""")


async def owner_of(connection: AsyncConnection, token: str) -> KeyOwner | None:
    """The owner of a token; None for an unknown or expired one."""
    # The stored form is not a token: a leaked digest authenticates nothing.
    if token.startswith(DIGEST_PREFIX):
        return None
    candidates = [digest(token), token]
    for row in await connection.execute(_FIND, {"candidates": candidates}):
        # The index compared by equality; this comparison takes the same time for every guess.
        if any(hmac.compare_digest(row.token.encode(), candidate.encode()) for candidate in candidates):
            return _owner(row)
    return None


def _owner(row: Row[Any]) -> KeyOwner | None:
    left = float(row.expires_in_s) if row.expires_in_s is not None else None
    if left is not None and left <= 0:
        return None
    return KeyOwner(token_id=row.id, user_id=row.user_id, scopes=frozenset(row.scopes), expires_in_s=left)


_COLUMNS = text(
    "SELECT attname FROM pg_attribute"
    " WHERE attrelid = CAST('api_tokens' AS regclass) AND attnum > 0 AND NOT attisdropped"
)


async def create_token(
    connection: AsyncConnection,
    user_id: int,
    *,
    name: str | None = None,
    scopes: list[str] | None = None,
    expires_in_s: float | None = None,
) -> tuple[Token, str]:
    """A new token and its secret, which is not stored. Raises NotFound without such a user, Conflict if the database is
    too old for a restriction."""
    if await connection.scalar(text("SELECT id FROM users WHERE id = :id FOR SHARE"), {"id": user_id}) is None:
        raise NotFound("The user does not exist.")
    secret = PREFIX + secrets.token_urlsafe(32)
    given = {"name": name, "scopes": scopes, "expires_in_s": expires_in_s}
    columns = set(await connection.scalars(_COLUMNS))
    statement = _insert({key: value for key, value in given.items() if value not in (None, [])}, columns)
    values = given | {"user_id": user_id, "token": digest(secret)}
    token_id = await connection.scalar(text(statement), values)
    return await _token(connection, token_id), secret


def _insert(given: dict[str, Any], columns: set[str]) -> str:
    written = {"token": ":token", "user_id": ":user_id", "created_at": "now() AT TIME ZONE 'utc'"}
    for key in given:
        column = "expires_at" if key == "expires_in_s" else key
        if column not in columns:
            raise Conflict(f"This database's api_tokens has no column {column}: omit it.")
        written[column] = {
            "name": "CAST(:name AS varchar)",
            "scopes": "CAST(:scopes AS text[])",
            "expires_in_s": "(now() AT TIME ZONE 'utc') + make_interval(secs => :expires_in_s)",
        }[key]
    return f"INSERT INTO api_tokens ({', '.join(written)}) VALUES ({', '.join(written.values())}) RETURNING id"


async def tokens_of(connection: AsyncConnection, user_id: int) -> list[Token]:
    """Every token of one user, the oldest first."""
    rows = await connection.execute(
        text(f"SELECT {_FIELDS} FROM api_tokens t WHERE t.user_id = :user_id ORDER BY t.id"), {"user_id": user_id}
    )
    return [_to_token(row) for row in rows]


async def _token(connection: AsyncConnection, token_id: int) -> Token:
    row = await connection.execute(text(f"SELECT {_FIELDS} FROM api_tokens t WHERE t.id = :id"), {"id": token_id})
    return _to_token(row.one())


def _to_token(row: Row[Any]) -> Token:
    values = {key: value for key, value in row._mapping.items() if key != "token"}
    return Token(**values, hashed=row.token.startswith(DIGEST_PREFIX))


async def revoke_token(connection: AsyncConnection, token_id: int) -> None:
    """Delete a token, which stops working within seconds. Raises NotFound."""
    deleted = await connection.execute(text("DELETE FROM api_tokens WHERE id = :id"), {"id": token_id})
    if deleted.rowcount == 0:
        raise NotFound("The token does not exist.")
