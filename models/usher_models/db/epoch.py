"""Which database this is and how far it has come, to be compared with what Usher saw before; and when it went back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.engine import fetch

_SEE = text("""
SELECT now() AS at, CAST(i.id AS text) AS installation, i.made_at AS installation_made_at,
       usher.system_identifier() AS system_identifier, usher.timeline() AS timeline,
       (SELECT CAST(oid AS bigint) FROM pg_catalog.pg_database WHERE datname = current_database()) AS database_oid,
       coalesce(pg_sequence_last_value(usher.meeting_id_sequence()), 0) AS last_meeting_id,
       newest.meeting_id, newest.seq, newest.at AS moved_at
FROM usher.installation i
LEFT JOIN (SELECT meeting_id, seq, at FROM usher.transitions ORDER BY at DESC, meeting_id DESC, seq DESC LIMIT 1)
    AS newest ON true
""")
_STANDS = text("""
SELECT EXISTS (
    SELECT FROM usher.transitions WHERE meeting_id = :meeting_id AND seq = :seq AND at = CAST(:at AS timestamptz)
) AS stands
""")
# Only a schema that was made after it was last seen can stand in the place of the one that is known.
_TAKE_BACK = text("""
UPDATE usher.installation SET id = CAST(:id AS uuid) WHERE made_at > CAST(:seen_at AS timestamptz) RETURNING id
""")
_BEGIN = text("""
INSERT INTO usher.rewinds (evidence) VALUES (:evidence) ON CONFLICT DO NOTHING
""")
_IS_OPEN = text("SELECT EXISTS (SELECT FROM usher.rewinds WHERE adopted_at IS NULL) AS open")
_FINISH = text("UPDATE usher.rewinds SET adopted_at = now() WHERE adopted_at IS NULL")


@dataclass(frozen=True, kw_only=True)
class NewestTransition:
    """The transition that was the newest when the database was looked at."""

    meeting_id: int
    seq: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What the database is; `at` is its own clock. What its server does not tell is None."""

    at: datetime
    installation: str
    installation_made_at: datetime
    system_identifier: str | None
    database_oid: int
    timeline: int | None
    last_meeting_id: int
    newest: NewestTransition | None


async def see(connection: AsyncConnection) -> Sighting:
    """What the database is now."""
    (row,) = await fetch(connection, _SEE, {})
    meeting_id, seq, at = (row.pop(name) for name in ("meeting_id", "seq", "moved_at"))
    newest = None if meeting_id is None else NewestTransition(meeting_id=meeting_id, seq=seq, at=at)
    return Sighting(**row, newest=newest)


async def stands(connection: AsyncConnection, newest: NewestTransition) -> bool:
    """True if the database still has that transition."""
    (row,) = await fetch(connection, _STANDS, vars(newest))
    return bool(row["stands"])


async def take_back_installation(connection: AsyncConnection, installation: str, *, seen_at: datetime) -> bool:
    """Give a schema that was made after `seen_at` the id of the installation; False if it is older."""
    return bool(await fetch(connection, _TAKE_BACK, {"id": installation, "seen_at": seen_at}))


async def begin_rewind(connection: AsyncConnection, evidence: Iterable[str]) -> None:
    """Note that the database went back; nothing while one is open."""
    await fetch(connection, _BEGIN, {"evidence": list(evidence)})


async def is_rewind_open(connection: AsyncConnection) -> bool:
    """True if bots are still being adopted."""
    (row,) = await fetch(connection, _IS_OPEN, {})
    return bool(row["open"])


async def finish_rewind(connection: AsyncConnection) -> None:
    """Note that every bot was adopted that can be."""
    await fetch(connection, _FINISH, {})
