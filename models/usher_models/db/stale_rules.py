"""The stale rules, as conditions on the newest version of a row. `RULES` is the whole table.

A rule is asked twice: once to find candidates, so that their pods' last words can be read, and again inside the
statement that ends them. A bot that reports in between is not ended. Time in which no report could arrive
(`usher.credit`) is not counted, up to `max_credit` seconds.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import FROM_BOTS, IS_LIVE, SUMMARY_COLUMNS, StaleBot, to_bots
from usher_models.states import Reason, Status

# A bot gets this long beyond its own lobby budget to give up by itself.
LOBBY_MARGIN_S = 60


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A meeting in `status` whose `since` lies more than `limit` seconds and its credit back is failed with `reason`.

    `setting` names the setting whose value is `:limit`. `after_repairs`: the rule is applied at the end of a sweep, so
    that no meeting is failed for work which Usher itself had left undone.
    """

    status: Status
    reason: Reason
    setting: str
    since: str
    limit: str = ":limit"
    after_repairs: bool = False

    @property
    def condition(self) -> str:
        """The rule in SQL; the credit is looked up only for rows that are late without it."""
        late = f"{self.since} < now() - make_interval(secs => {self.limit})"
        credit = f"least(usher.credit({self.since}), make_interval(secs => :max_credit))"
        return f"{late} AND {late} - {credit}"


RULES: tuple[Rule, ...] = (
    Rule(
        status=Status.STARTING,
        reason=Reason.NEVER_JOINED,
        setting="starting_timeout_s",
        since="b.started_at",
        limit=f"greatest(:limit, b.lobby_timeout_s + {LOBBY_MARGIN_S})",
    ),
    Rule(status=Status.ACTIVE, reason=Reason.HEARTBEAT_LOST, setting="heartbeat_timeout_s", since="h.at"),
    Rule(
        status=Status.STOPPING,
        reason=Reason.NEVER_EXITED,
        setting="stopping_timeout_s",
        since="b.status_changed_at",
    ),
    # A Job that was created late, because Usher or the API server was away, gets its full time.
    Rule(
        status=Status.RESERVED,
        reason=Reason.NEVER_STARTED,
        setting="reserved_timeout_s",
        since="coalesce(b.job_created_at, b.reserved_at)",
        after_repairs=True,
    ),
)


def rule_of(reason: Reason) -> Rule:
    """The rule that fails meetings with `reason`."""
    return next(rule for rule in RULES if rule.reason is reason)


def guard(rule: Rule, *, limit_s: float, max_credit_s: float) -> tuple[str, dict[str, Any]]:
    """The rule as a condition for `close_many`, and its values."""
    return f"m.status = :stale_status AND {rule.condition}", {
        "stale_status": rule.status,
        "limit": limit_s,
        "max_credit": max_credit_s,
    }


_CANDIDATES = (
    f"SELECT {SUMMARY_COLUMNS}, h.at AS reported_at,"
    f" CAST(extract(epoch FROM now() - h.at) AS float8) AS unreported_s {FROM_BOTS}"
    f" JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id WHERE {IS_LIVE}"
)


async def stale_bots(connection: AsyncConnection, rule: Rule, *, limit_s: float, max_credit_s: float) -> list[StaleBot]:
    """The bots that a rule would end now."""
    condition, values = guard(rule, limit_s=limit_s, max_credit_s=max_credit_s)
    return to_bots(await connection.execute(text(f"{_CANDIDATES} AND {condition}"), values), StaleBot)


@dataclass(frozen=True, kw_only=True)
class Reports:
    """How many live bots have reported before, and how many of those are late with their next report."""

    late: int
    reporting: int


_REPORTS = text(f"""
SELECT count(*) AS reporting, count(*) FILTER (
    WHERE h.at < now() - make_interval(secs => :after)
      AND h.at < now() - make_interval(secs => :after) - least(usher.credit(h.at), make_interval(secs => :max_credit))
) AS late
{FROM_BOTS} JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id
WHERE {IS_LIVE} AND b.started_at IS NOT NULL
""")


async def count_reports(connection: AsyncConnection, *, after_s: float, max_credit_s: float) -> Reports:
    """The live bots that have reported; late is one whose last report is `after_s` old, credit included."""
    row = (await connection.execute(_REPORTS, {"after": after_s, "max_credit": max_credit_s})).one()
    return Reports(late=row.late, reporting=row.reporting)
