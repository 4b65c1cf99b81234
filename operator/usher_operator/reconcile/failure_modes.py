"""The failure modes, in the order in which a sweep repairs them.

Evidence comes before silence: a finished Job says how its bot ended, a missed deadline only that it did. A new repair
has its own file in `repairs/` and one line here; a new stale rule needs its line in `usher_models.db.stale_rules` only.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from usher_models.db.stale_rules import RULES, Rule
from usher_operator.reconcile.repairs import (
    blocked_start,
    deleted_request,
    edited_status,
    external_end,
    finished_job,
    ignored_leave,
    lost_row,
    max_duration,
    missed_request,
    missing_job,
    missing_request,
    orphan_job,
    shown_end,
    unpullable_image,
)
from usher_operator.reconcile.silence import rules
from usher_operator.reconcile.sweep import Sweep


class FailureMode(NamedTuple):
    """What may be wrong, and what repairs it. `repair` raises DatabaseUnavailable and NotLeading.

    `waits`: its verdict rests on the rows, so it waits while the database has lost some. What Kubernetes itself says of
    a bot's end does not.
    """

    name: str
    repair: Callable[[Sweep], Awaitable[None]]
    waits: bool = True


def _stale(rule: Rule) -> FailureMode:
    return FailureMode(rule.reason, partial(rules.apply, rule=rule))


FAILURE_MODES: tuple[FailureMode, ...] = (
    FailureMode("external_end", external_end.repair),
    FailureMode("lost_row", lost_row.repair, waits=False),
    FailureMode("shown_end", shown_end.repair, waits=False),
    FailureMode("finished_job", finished_job.repair, waits=False),
    FailureMode("unpullable_image", unpullable_image.repair),
    FailureMode("blocked_start", blocked_start.repair, waits=False),
    *(_stale(rule) for rule in RULES if not rule.after_repairs),
    FailureMode("max_duration", max_duration.repair),
    FailureMode("ignored_leave", ignored_leave.repair),
    FailureMode("deleted_request", deleted_request.repair),
    FailureMode("missing_job", missing_job.repair),
    FailureMode("orphan_job", orphan_job.repair),
    FailureMode("missing_request", missing_request.repair),
    FailureMode("missed_request", missed_request.repair, waits=False),
    FailureMode("edited_status", edited_status.repair),
    *(_stale(rule) for rule in RULES if rule.after_repairs),
)
