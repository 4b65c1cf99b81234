"""Finding meetings for the person on call: by user, status and age, or by the name that person has at hand."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import SELECT_BOT, Bot, to_bot
from usher_models.db.meetings import SELECT_RECORD, Record
from usher_models.states import LIVE, Status


@dataclass(frozen=True, kw_only=True)
class Search:
    """Which meetings to find, the newest first. `since_s`: created within the last so many seconds."""

    email: str | None = None
    statuses: tuple[str, ...] = ()
    since_s: float | None = None
    limit: int = 50


LIVE_STATUSES = tuple(sorted(LIVE))
FAILED_STATUSES = (Status.FAILED.value,)

_SEARCH = text(
    SELECT_RECORD
    + """WHERE (CAST(:email AS varchar) IS NULL
       OR m.user_id IN (SELECT id FROM users WHERE lower(email) = lower(:email)))
  AND (cardinality(CAST(:statuses AS varchar[])) = 0 OR m.status = ANY(:statuses))
  AND (CAST(:since_s AS float8) IS NULL
       OR m.created_at > (now() AT TIME ZONE 'utc') - make_interval(secs => CAST(:since_s AS float8)))
ORDER BY m.id DESC LIMIT :limit"""
)
_BY_IDS = text(SELECT_RECORD + "WHERE m.id = ANY(:ids) ORDER BY m.id")

# The newest first: a name may have been used before.
_NAMED = text(
    SELECT_BOT
    + """WHERE b.meeting_id = :number OR b.connection_id = :name
   OR b.request_name = :request AND (CAST(:namespace AS varchar) IS NULL OR b.request_namespace = :namespace)
ORDER BY b.meeting_id = :number DESC, b.ended_at IS NULL DESC, b.meeting_id DESC LIMIT 1"""
)

_LARGEST_ID = 2**31 - 1


async def search(connection: AsyncConnection, which: Search) -> list[Record]:
    """The meetings that match."""
    values = vars(which) | {"statuses": list(which.statuses)}
    return [Record(**row._mapping) for row in await connection.execute(_SEARCH, values)]


async def by_ids(connection: AsyncConnection, meeting_ids: list[int]) -> list[Record]:
    """Those meetings, the oldest first."""
    return [Record(**row._mapping) for row in await connection.execute(_BY_IDS, {"ids": meeting_ids})]


async def bot_named(connection: AsyncConnection, name: str) -> Bot | None:
    """The bot that `name` means: a meeting's id, a connection id, `NAME` or `NAMESPACE/NAME` of a BotRequest.

    Of several with one name it is the live one, else the newest.
    """
    namespace, _, request = name.rpartition("/")
    number = int(name) if name.isascii() and name.isdecimal() and int(name) <= _LARGEST_ID else None
    values = {"number": number, "name": name, "request": request, "namespace": namespace or None}
    row = (await connection.execute(_NAMED, values)).one_or_none()
    return to_bot(row) if row is not None else None
