"""Which rule failed a meeting, told from who failed it and why."""

from datetime import UTC, datetime

import pytest

from tests.fakes.bots import a_bot_row
from tests.fakes.settings import some_settings
from usher_models.db.bots import Transition
from usher_models.db.stale_rules import RULES
from usher_models.states import MOVES, Reason, Source, Status
from usher_operator.lifecycle.evidence.decision import decision_on
from usher_operator.settings import Settings


def ended(source: Source, reason: str) -> Transition:
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    return Transition(
        seq=4, origin="active", target="failed", source=source, reason=reason, fault="bot", detail={}, at=at
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.reason)
def test_each_stale_rule_is_named_with_its_setting(rule: object) -> None:
    reason, setting = rule.reason, rule.setting  # type: ignore[attr-defined]
    decision = decision_on(a_bot_row(), ended(Source.RECONCILER, reason), some_settings())
    assert decision is not None
    assert (decision.rule, decision.setting) == (reason, f"USHER_{setting.upper()}")
    assert f"{decision.limit_s:g} s after" in decision.text


def test_a_bot_in_a_long_lobby_had_as_long_as_its_own_lobby_timeout() -> None:
    decision = decision_on(
        a_bot_row(lobby_timeout_s=3600), ended(Source.RECONCILER, Reason.NEVER_JOINED), some_settings()
    )
    assert decision is not None
    assert decision.limit_s == 3660


@pytest.mark.parametrize(
    ("reason", "rule"),
    [
        ("image_pull_failed", "unpullable_image"),
        ("job_missing", "missing_job"),
        ("oom_killed", "finished_job"),
        ("exit_code_1", "finished_job"),
    ],
)
def test_evidence_of_kubernetes_is_told_apart(reason: str, rule: str) -> None:
    decision = decision_on(a_bot_row(), ended(Source.EVIDENCE, reason), some_settings())
    assert decision is not None
    assert (decision.rule, decision.setting) == (rule, None)


def sources_that_fail() -> list[Source]:
    return sorted({move.source for move in MOVES if move.target is Status.FAILED} - {Source.RECONCILER})


@pytest.mark.parametrize("source", sources_that_fail())
def test_whoever_may_fail_a_meeting_has_a_rule(source: Source) -> None:
    settings: Settings = some_settings()
    assert decision_on(a_bot_row(), ended(source, "anything"), settings) is not None


def test_an_end_without_a_trail_has_no_rule() -> None:
    assert decision_on(a_bot_row(), None, some_settings()) is None
