"""What proves that the database went back. Pure functions.

Only what is there and should not be, or is gone and should be there, counts. What is not known proves nothing.
"""

from datetime import timedelta
from enum import StrEnum

from usher_models.db import known_ids
from usher_models.db.epoch import Sighting
from usher_operator.reconcile.epoch.record import Record


class Evidence(StrEnum):
    """One sign."""

    TRANSITION_LOST = "transition_lost"
    IDS_BEHIND = known_ids.EVIDENCE
    DATABASE_REPLACED = "database_replaced"
    SCHEMA_REMADE = "schema_remade"
    ROWS_LOST = "rows_lost"
    UNFINISHED = "adoption_unfinished"
    # Commits after the last look may be lost, and nothing that was seen is: Usher looks, and does not claim it.
    FAILED_OVER = "failed_over"


SENTENCES: dict[Evidence, str] = {
    Evidence.TRANSITION_LOST: "the newest transition that was seen is gone",
    Evidence.IDS_BEHIND: "the ids of meetings are behind those that were seen",
    Evidence.DATABASE_REPLACED: "it is another database, or on another server",
    Evidence.SCHEMA_REMADE: "the schema usher was made anew",
    Evidence.ROWS_LOST: "bots run whose rows are gone",
    Evidence.UNFINISHED: "an adoption was not finished",
    Evidence.FAILED_OVER: "another server was promoted",
}


def compare(record: Record, seen: Sighting, *, stands: bool, kept_for: timedelta | None) -> list[Evidence]:
    """The signs that the database lies behind the record. `stands`: the newest transition of the record is still there.

    `kept_for`: how long history is kept; an older transition may have been deleted by its age.
    """
    found = [
        (Evidence.TRANSITION_LOST, not stands and not _outlived(record, seen, kept_for)),
        (Evidence.IDS_BEHIND, seen.last_meeting_id < record.last_meeting_id),
        (Evidence.DATABASE_REPLACED, _is_replaced(record, seen)),
        (Evidence.FAILED_OVER, not _is_replaced(record, seen) and _differ(record.timeline, seen.timeline)),
    ]
    return [sign for sign, is_there in found if is_there]


def is_remade(record: Record, seen: Sighting) -> bool:
    """True if the very database of the record has a schema that was made after it was last seen."""
    same = record.system_identifier is not None and not _is_replaced(record, seen)
    return same and seen.system_identifier is not None and seen.installation_made_at > record.seen_at


def proves_loss(signs: list[Evidence]) -> bool:
    """True if the database certainly went back; False if it only may have."""
    return any(sign is not Evidence.FAILED_OVER for sign in signs)


def in_words(signs: list[Evidence]) -> str:
    """The signs for a person."""
    return "; ".join(SENTENCES[sign] for sign in signs)


def _outlived(record: Record, seen: Sighting, kept_for: timedelta | None) -> bool:
    return record.newest is not None and kept_for is not None and seen.at - record.newest.at >= kept_for


def _is_replaced(record: Record, seen: Sighting) -> bool:
    return record.database_oid != seen.database_oid or _differ(record.system_identifier, seen.system_identifier)


def _differ(old: str | int | None, new: str | int | None) -> bool:
    return old is not None and new is not None and old != new
