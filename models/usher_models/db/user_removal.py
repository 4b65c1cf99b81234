"""Removing a user: the keys, and where it is asked for the ended meetings with all that Usher kept of them."""

from dataclasses import dataclass

from psycopg.errors import ForeignKeyViolation
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.errors import Conflict, UnknownUser
from usher_models.states import HOLDS_SLOT

_LOCK = text("SELECT id FROM users WHERE email = :email FOR UPDATE")
_COUNT = text("""
SELECT count(*) AS meetings, count(*) FILTER (WHERE lower(btrim(status)) = ANY(:holds)) AS live
FROM meetings WHERE user_id = :user_id
""")
# Children before their parents; the optional ones exist only in some Vexa databases.
_OWNED = "(SELECT id FROM meetings WHERE user_id = :user_id)"
_BY_MEETING = (
    "usher.transitions",
    "usher.webhook_deliveries",
    "usher.heartbeats",
    "usher.evidence",
    "usher.bots",
    "meeting_sessions",
)
_OPTIONAL = ("transcriptions", "recordings")
_KEYS = ("usher.api_keys", "api_tokens")
_BY_USER = ("meetings", "usher.webhook_endpoints")


@dataclass(frozen=True, kw_only=True)
class Removed:
    """What went with a user."""

    user_id: int
    meetings: int
    keys: int


async def remove_user(connection: AsyncConnection, email: str, *, with_meetings: bool) -> Removed:
    """Delete the user with that address. Raises UnknownUser, or Conflict with what stands in the way."""
    user_id = await connection.scalar(_LOCK, {"email": email})
    if user_id is None:
        raise UnknownUser(f"No user has the email {email}.")
    counted = (await connection.execute(_COUNT, {"user_id": user_id, "holds": sorted(HOLDS_SLOT)})).one()
    _require_removable(email, counted.meetings, counted.live, with_meetings=with_meetings)
    try:
        keys = await _delete(connection, user_id)
    except IntegrityError as exc:
        if isinstance(exc.orig, ForeignKeyViolation):
            raise Conflict(f"Rows of another table still refer to the user: {exc.orig.diag.message_detail}") from exc
        raise
    return Removed(user_id=user_id, meetings=counted.meetings, keys=keys)


def _require_removable(email: str, meetings: int, live: int, *, with_meetings: bool) -> None:
    if live:
        raise Conflict(f"{email} has {live} live meetings; end them first, with `usher leave`.")
    if meetings and not with_meetings:
        raise Conflict(f"{email} has {meetings} ended meetings; --with-meetings deletes them too.")


async def _delete(connection: AsyncConnection, user_id: int) -> int:
    values = {"user_id": user_id}
    for table in (*_BY_MEETING, *[name for name in _OPTIONAL if await _exists(connection, name)]):
        await connection.execute(text(f"DELETE FROM {table} WHERE meeting_id IN {_OWNED}"), values)
    for table in _BY_USER:
        await connection.execute(text(f"DELETE FROM {table} WHERE user_id = :user_id"), values)
    keys = 0
    for table in _KEYS:
        keys += (await connection.execute(text(f"DELETE FROM {table} WHERE user_id = :user_id"), values)).rowcount
    await connection.execute(text("DELETE FROM users WHERE id = :user_id"), values)
    return keys


async def _exists(connection: AsyncConnection, table: str) -> bool:
    """True if the table exists and its rows name a meeting."""
    query = (
        "SELECT EXISTS (SELECT FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND table_name = :name AND column_name = 'meeting_id')"
    )
    return bool(await connection.scalar(text(query), {"name": table}))
