"""The plan of a soak is its seed's, and a life's allowed ends follow from what is done to it."""

from dataclasses import replace

import pytest

from tests.faults.soaking.kinds import BAD, WELL
from tests.faults.soaking.plan import Act, Life, Plan, What, draw

A_LIFE = Life(number=7, at_s=0, user=0, over_rest=False, kind=WELL, meeting_s=10, acts=())


def a_plan(seed: int) -> Plan:
    return draw(seed, seconds=60, meeting_s=(2, 30), kill_every_s=(2, 15), slow=True)


def test_the_same_seed_is_the_same_plan_and_another_is_another() -> None:
    assert a_plan(3) == a_plan(3)
    assert a_plan(3) != a_plan(4)


def test_requests_come_at_the_rate_and_kills_within_their_span() -> None:
    plan = draw(1, seconds=600, meeting_s=(2, 30), kill_every_s=(2, 15), slow=True)
    assert 2700 < len(plan.lives) < 3300
    for moments in plan.kills.values():
        gaps = [after - before for before, after in zip((0.0, *moments), moments, strict=False)]
        assert all(2 <= gap <= 15 for gap in gaps)
        assert sum(moments[-1:]) > 580


def test_a_life_is_found_by_its_meeting() -> None:
    plan = a_plan(1)
    assert [plan.life_of(life.native_id) for life in plan.lives] == list(plan.lives)


def test_a_short_run_has_no_kind_whose_end_takes_a_minute() -> None:
    plan = draw(1, seconds=600, meeting_s=(1, 4), kill_every_s=(2, 6), slow=False)
    assert not [life for life in plan.lives if life.kind.slow]


@pytest.mark.parametrize("what", [None, *What])
def test_a_healthy_bot_may_never_fail(what: What | None) -> None:
    life = replace(A_LIFE, acts=(Act(after_s=1, what=what),) if what else ())
    kinds = {end for kind in (WELL, *BAD) for end in kind.ends | kind.left | kind.deleted}
    assert life.may_end("completed", "left")
    # One that is asked to leave before it joined has failed its meeting, for that reason and no other.
    asked = {"stopped", "request_deleted", "left"} if what in (What.LEAVE, What.DELETE) else set()
    assert {reason for status, reason in kinds if status == "failed" and life.may_end(status, reason)} <= asked


def test_only_who_was_asked_to_leave_may_end_as_stopped() -> None:
    assert not A_LIFE.may_end("completed", "stopped")
    assert replace(A_LIFE, acts=(Act(after_s=1, what=What.LEAVE),)).may_end("completed", "stopped")
