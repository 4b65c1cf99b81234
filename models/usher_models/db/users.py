"""Users, in Vexa's table."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import webhook_deliveries
from usher_models.db.vexa_tables import holds_slot
from usher_models.errors import NotFound, UnknownUser
from usher_models.states import HOLDS_SLOT

DEFAULT_LIMIT = 3


@dataclass(frozen=True, kw_only=True)
class User:
    """One user. `used` is the number of slots that the user's live meetings hold; `created_at` is naive UTC."""

    id: int
    email: str
    name: str | None
    image_url: str | None
    created_at: datetime | None
    max_concurrent_bots: int
    data: dict[str, Any]
    used: int


_SELECT = f"""
SELECT u.id, coalesce(u.email, '') AS email, u.name, u.image_url, u.created_at,
       coalesce(u.max_concurrent_bots, 0) AS max_concurrent_bots,
       CASE WHEN jsonb_typeof(u.data) = 'object' THEN u.data ELSE '{{}}' END AS data,
       (SELECT count(*) FROM meetings m WHERE m.user_id = u.id AND {holds_slot("m.status")}) AS used
FROM users u
"""


def _user(row: Row[Any]) -> User:
    return User(**row._mapping)


async def user_id_by_email(connection: AsyncConnection, email: str) -> int:
    """The id of the user with that email. Raises UnknownUser."""
    user_id = await connection.scalar(text("SELECT id FROM users WHERE email = :email"), {"email": email})
    if user_id is None:
        raise UnknownUser(f"No user has the email {email}; create one with `usher user add {email}`.")
    return int(user_id)


async def user_by_id(connection: AsyncConnection, user_id: int) -> User:
    """The user with that id. Raises NotFound."""
    return await _one(connection, "WHERE u.id = :id", id=user_id)


async def user_by_email(connection: AsyncConnection, email: str) -> User:
    """The user with that email. Raises NotFound."""
    return await _one(connection, "WHERE u.email = :email", email=email)


async def _one(connection: AsyncConnection, where: str, **values: object) -> User:
    row = (await connection.execute(text(_SELECT + where), {"holds": sorted(HOLDS_SLOT)} | values)).one_or_none()
    if row is None:
        raise NotFound("The user does not exist.")
    return _user(row)


async def users(connection: AsyncConnection, *, limit: int, offset: int = 0) -> list[User]:
    """Every user, the oldest first."""
    values = {"holds": sorted(HOLDS_SLOT), "limit": limit, "offset": offset}
    return [_user(row) for row in await connection.execute(text(_SELECT + _PAGE), values)]


_PAGE = "ORDER BY u.id LIMIT :limit OFFSET :offset"


async def users_by_id(connection: AsyncConnection, user_ids: Sequence[int]) -> dict[int, User]:
    """Those users, by their ids."""
    values = {"holds": sorted(HOLDS_SLOT), "ids": list(user_ids)}
    rows = await connection.execute(text(_SELECT + "WHERE u.id = ANY(:ids)"), values)
    return {row.id: _user(row) for row in rows}


async def add_user(connection: AsyncConnection, email: str, *, max_concurrent_bots: int) -> int:
    """The id of the user with that email; the user is created with that limit, or an existing one gets it."""
    return int(
        (
            await connection.execute(
                text(
                    "INSERT INTO users (email, max_concurrent_bots, data, created_at)"
                    " VALUES (:email, :cap, '{}', now() AT TIME ZONE 'utc')"
                    " ON CONFLICT (email) DO UPDATE SET max_concurrent_bots = excluded.max_concurrent_bots"
                    " RETURNING id"
                ),
                {"email": email, "cap": max_concurrent_bots},
            )
        ).scalar_one()
    )


_FIND_OR_CREATE = text("""
INSERT INTO users (email, name, image_url, max_concurrent_bots, data, created_at)
VALUES (:email, :name, :image_url, :max_concurrent_bots, CAST(:data AS jsonb), now() AT TIME ZONE 'utc')
ON CONFLICT (email) DO NOTHING
RETURNING id
""")


async def find_or_create(connection: AsyncConnection, email: str, **fields: Any) -> tuple[User, bool]:
    """The user with that email, and True if it was created with `fields`; an existing user keeps its own."""
    values = {"name": None, "image_url": None, "max_concurrent_bots": DEFAULT_LIMIT} | fields
    values["data"] = json.dumps(fields.get("data") or {})
    created = await connection.scalar(_FIND_OR_CREATE, values | {"email": email})
    return await user_by_email(connection, email), created is not None


_CHANGE = text("""
UPDATE users u
SET name = CASE WHEN given ? 'name' THEN given ->> 'name' ELSE u.name END,
    image_url = CASE WHEN given ? 'image_url' THEN given ->> 'image_url' ELSE u.image_url END,
    max_concurrent_bots = coalesce(CAST(given ->> 'max_concurrent_bots' AS integer), u.max_concurrent_bots),
    data = CASE WHEN jsonb_typeof(given -> 'data') = 'object'
                THEN (CASE WHEN jsonb_typeof(u.data) = 'object' THEN u.data ELSE '{}' END || (given -> 'data'))
                     - ARRAY(SELECT key FROM jsonb_each(given -> 'data') WHERE jsonb_typeof(value) = 'null')
                ELSE u.data END
FROM CAST(:fields AS jsonb) AS given
WHERE u.id = :user_id
RETURNING u.id
""")


_LOCK = text("SELECT data FROM users WHERE id = :id FOR NO KEY UPDATE")


async def locked_data(connection: AsyncConnection, user_id: int) -> dict[str, Any]:
    """The user's data, which nobody else changes before the transaction ends; empty without such a user."""
    data = await connection.scalar(_LOCK, {"id": user_id})
    return data if isinstance(data, dict) else {}


async def change_user(connection: AsyncConnection, user_id: int, **fields: Any) -> User:
    """Change the given fields; `data` is merged key by key, and null removes a key. Raises NotFound.

    Setting a webhook, even to the same URL, resumes a paused one. A webhook that moves to another host loses its secret
    unless it gets a new one: deliveries carry the secret, which the new host must not learn.
    """
    data = fields.get("data") or {}
    if "webhook_url" in data:
        stored = await locked_data(connection, user_id)
        if "webhook_secret" not in data and _origin(stored.get("webhook_url")) != _origin(data["webhook_url"]):
            fields["data"] = data | {"webhook_secret": None}
    await connection.execute(_CHANGE, {"user_id": user_id, "fields": json.dumps(fields)})
    if "webhook_url" in data:
        await webhook_deliveries.resume(connection, user_id)
    return await user_by_id(connection, user_id)


def _origin(url: object) -> tuple[str, str] | None:
    """Scheme and host of a URL; None for anything else."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        return (parts.scheme.lower(), parts.netloc.lower()) if parts else None
    except ValueError:
        return None


async def set_limit(connection: AsyncConnection, email: str, *, max_concurrent_bots: int) -> User:
    """Set a user's limit. Lowering it stops no running bot. Raises NotFound."""
    user = await user_by_email(connection, email)
    return await change_user(connection, user.id, max_concurrent_bots=max_concurrent_bots)
