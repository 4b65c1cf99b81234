"""The stale rules, as conditions on the newest version of a row.

Each rule is asked twice: once to find candidates, so that their pods' last words can be read, and again inside the
statement that ends them. What lives in between, lives. `credit` seconds are added to every limit: time in which no
bot could have been heard.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.meetings import SELECT_BOT, Bot, to_bot
from usher_models.states import Reason, Status

# A bot gets this long beyond its own lobby budget to give up by itself.
LOBBY_MARGIN_S = 60


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A meeting in `status` that meets `condition` is ended with `reason`."""

    status: Status
    reason: Reason
    condition: str


NEVER_STARTED = Rule(
    status=Status.RESERVED,
    reason=Reason.NEVER_STARTED,
    condition="b.reserved_at < now() - make_interval(secs => :limit + :credit)",
)
NEVER_JOINED = Rule(
    status=Status.STARTING,
    reason=Reason.NEVER_JOINED,
    condition=(
        "b.started_at < now()"
        f" - make_interval(secs => greatest(:limit, b.lobby_timeout_s + {LOBBY_MARGIN_S}) + :credit)"
    ),
)
HEARTBEAT_LOST = Rule(
    status=Status.ACTIVE,
    reason=Reason.HEARTBEAT_LOST,
    condition="h.at < now() - make_interval(secs => :limit + :credit)",
)
NEVER_EXITED = Rule(
    status=Status.STOPPING,
    reason=Reason.NEVER_EXITED,
    condition="b.status_changed_at < now() - make_interval(secs => :limit + :credit)",
)


def guard(rule: Rule, *, limit_s: float, credit_s: float) -> tuple[str, dict[str, Any]]:
    """The rule as a condition for `close_many`, and its values."""
    return f"m.status = :stale_status AND {rule.condition}", {
        "stale_status": rule.status,
        "limit": limit_s,
        "credit": credit_s,
    }


async def stale_bots(connection: AsyncConnection, rule: Rule, *, limit_s: float, credit_s: float) -> list[Bot]:
    """The bots that a rule would end now."""
    condition, values = guard(rule, limit_s=limit_s, credit_s=credit_s)
    query = (
        f"{SELECT_BOT} JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id WHERE b.ended_at IS NULL AND {condition}"
    )
    return [to_bot(row) for row in await connection.execute(text(query), values)]
