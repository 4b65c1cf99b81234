"""The stale rules, as conditions on the newest version of a row.

Each rule is asked twice: once to find candidates, so that their pods' last words can be read, and again inside the
statement that ends them. What lives in between, lives. Time in which no bot could have been heard (`usher.credit`) is
not counted, up to `max_credit` seconds.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import SELECT_BOT, Bot, to_bot
from usher_models.states import Reason, Status

# A bot gets this long beyond its own lobby budget to give up by itself.
LOBBY_MARGIN_S = 60


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A meeting in `status` whose `since` lies more than `limit` seconds and its credit back is ended with `reason`."""

    status: Status
    reason: Reason
    since: str
    limit: str = ":limit"

    @property
    def condition(self) -> str:
        """The rule in SQL; the credit is looked up only for rows that are late without it."""
        late = f"{self.since} < now() - make_interval(secs => {self.limit})"
        credit = f"least(usher.credit({self.since}), make_interval(secs => :max_credit))"
        return f"{late} AND {late} - {credit}"


# A Job that was made late, because Usher or the API server was away, gets its full time.
NEVER_STARTED = Rule(
    status=Status.RESERVED, reason=Reason.NEVER_STARTED, since="coalesce(b.job_created_at, b.reserved_at)"
)
NEVER_JOINED = Rule(
    status=Status.STARTING,
    reason=Reason.NEVER_JOINED,
    since="b.started_at",
    limit=f"greatest(:limit, b.lobby_timeout_s + {LOBBY_MARGIN_S})",
)
HEARTBEAT_LOST = Rule(status=Status.ACTIVE, reason=Reason.HEARTBEAT_LOST, since="h.at")
NEVER_EXITED = Rule(status=Status.STOPPING, reason=Reason.NEVER_EXITED, since="b.status_changed_at")


def guard(rule: Rule, *, limit_s: float, max_credit_s: float) -> tuple[str, dict[str, Any]]:
    """The rule as a condition for `close_many`, and its values."""
    return f"m.status = :stale_status AND {rule.condition}", {
        "stale_status": rule.status,
        "limit": limit_s,
        "max_credit": max_credit_s,
    }


async def stale_bots(connection: AsyncConnection, rule: Rule, *, limit_s: float, max_credit_s: float) -> list[Bot]:
    """The bots that a rule would end now."""
    condition, values = guard(rule, limit_s=limit_s, max_credit_s=max_credit_s)
    query = (
        f"{SELECT_BOT} JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id WHERE b.ended_at IS NULL AND {condition}"
    )
    return [to_bot(row) for row in await connection.execute(text(query), values)]


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """How many live bots have spoken before, and how many of those were not heard of lately."""

    quiet: int
    speaking: int


_QUIET = text("""
SELECT count(*) AS speaking, count(*) FILTER (
    WHERE h.at < now() - make_interval(secs => :after)
      AND h.at < now() - make_interval(secs => :after) - least(usher.credit(h.at), make_interval(secs => :max_credit))
) AS quiet
FROM usher.bots b JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id
WHERE b.ended_at IS NULL AND b.started_at IS NOT NULL
""")


async def quiet_bots(connection: AsyncConnection, *, after_s: float, max_credit_s: float) -> Quiet:
    """How many of the bots that speak were not heard of for `after_s`, credit included, whatever their status."""
    row = (await connection.execute(_QUIET, {"after": after_s, "max_credit": max_credit_s})).one()
    return Quiet(quiet=row.quiet, speaking=row.speaking)
