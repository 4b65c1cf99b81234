"""The last transitions of a bot, as its BotRequest shows them: where it was, for how long, and why it moved.

Their detail is left out. It has what bots and Kubernetes said, and a BotRequest has more readers than the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# A life has five; lost or late callbacks and adoptions add a few.
LONGEST = 10

# For `b`, a row of usher.bots. One more than is shown: how long a bot was in a status, the transition before it says.
HISTORY_COLUMN = f"""
       (SELECT jsonb_agg(jsonb_build_object('at', t.at, 'origin', t.from_status, 'target', t.to_status,
                                            'source', t.source, 'reason', t.reason, 'fault', t.fault) ORDER BY t.seq)
        FROM (SELECT * FROM usher.transitions WHERE meeting_id = b.meeting_id
              ORDER BY seq DESC LIMIT {LONGEST + 1}) t) AS history
"""


@dataclass(frozen=True, kw_only=True)
class PastTransition:
    """One of the last transitions. `seconds`: how long the bot had been in `origin`; None if that is not known."""

    at: datetime
    origin: str | None
    target: str
    source: str
    reason: str
    fault: str | None
    seconds: int | None


def to_history(rows: Sequence[dict[str, Any]] | None) -> tuple[PastTransition, ...]:
    """What HISTORY_COLUMN holds, the oldest first."""
    entered_at: datetime | None = None
    found = []
    for row in rows or ():
        at = datetime.fromisoformat(row["at"])
        found.append(PastTransition(**row | {"at": at, "seconds": _seconds(entered_at, at)}))
        if row["origin"] != row["target"]:  # a late report is on record, and moves nothing
            entered_at = at
    return tuple(found[-LONGEST:])


def _seconds(since: datetime | None, at: datetime) -> int | None:
    return None if since is None else max(0, int((at - since).total_seconds()))
