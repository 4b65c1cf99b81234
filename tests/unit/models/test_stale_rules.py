"""Which stale rules there are, and which of them wait until everything else was repaired."""

import pytest

from usher_models.db.stale_rules import RULES, rule_of
from usher_models.states import LIVE, Reason
from usher_operator.reconcile.failure_modes import FAILURE_MODES


def test_every_live_status_has_one_rule() -> None:
    assert sorted(rule.status for rule in RULES) == sorted(LIVE)


@pytest.mark.parametrize(
    ("reason", "waits"),
    [
        (Reason.NEVER_STARTED, True),
        (Reason.NEVER_JOINED, False),
        (Reason.HEARTBEAT_LOST, False),
        (Reason.NEVER_EXITED, False),
    ],
)
def test_only_a_meeting_that_usher_itself_may_have_left_behind_waits_for_the_repairs(
    reason: Reason, waits: bool
) -> None:
    assert rule_of(reason).after_repairs is waits
    names = [mode.name for mode in FAILURE_MODES]
    repairs = [name for name in names if name in ("missed_request", "missing_request", "missing_job")]
    assert all((names.index(reason) > names.index(repair)) is waits for repair in repairs)
