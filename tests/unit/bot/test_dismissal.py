"""A control plane that does not want this bot, or is not there at all."""

import pytest

from tests.unit.bot.harness import Harness
from usher_bot.settings import Settings


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(410, "meeting_over", id="the meeting is over"),
        pytest.param(409, "another_pod_speaks", id="another pod speaks"),
    ],
)
@pytest.mark.parametrize("name", ["started", "status", "joined", "heartbeat"])
async def test_a_dismissed_bot_exits_with_4_and_reports_nothing_more(
    harness: Harness, settings: Settings, name: str, status: int, code: str
) -> None:
    harness.control_plane.refuse(name, status, code=code)
    await harness.begin(settings)
    harness.driver.let_in.set()
    outcome = await harness.end()
    assert outcome.exit_code == 4
    assert harness.control_plane.calls[-1].name == name
    assert harness.driver.done[-1] == "leave"


async def test_a_refused_exited_does_not_change_the_outcome(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("exited", 410, code="meeting_over")
    harness.driver.ends.set()
    await harness.begin_in_meeting(settings)
    outcome = await harness.end()
    assert outcome.exit_code == 0
    assert len(harness.control_plane.of("exited")) == 1


async def test_an_illegal_move_is_no_reason_to_stop(harness: Harness, settings: Settings) -> None:
    for name in ("started", "joined", "status", "heartbeat"):
        harness.control_plane.refuse(name, 409, code="illegal_move")
    await harness.begin_in_meeting(settings)
    await harness.clock.advance(120)
    assert harness.is_running
    assert len(harness.control_plane.of("joined")) == 1
    assert len(harness.control_plane.of("heartbeat")) == 4


@pytest.mark.parametrize(("status", "final_after_s"), [(401, 120), (403, 120), (404, 60)])
async def test_a_lasting_refusal_is_final_after_its_patience(
    harness: Harness, settings: Settings, status: int, final_after_s: float
) -> None:
    harness.control_plane.refuse("started", status)
    await harness.begin(settings)
    outcome = await harness.end()
    assert outcome.exit_code == 4
    last = harness.control_plane.of("started")[-1].at
    assert final_after_s <= last <= final_after_s + 30


async def test_patience_runs_across_heartbeats(harness: Harness, settings: Settings) -> None:
    await harness.begin_in_meeting(settings)
    harness.control_plane.refuse("heartbeat", 401)
    outcome = await harness.end()
    assert outcome.exit_code == 4
    beats = harness.control_plane.of("heartbeat")
    assert 120 <= beats[-1].at - beats[0].at <= 130
    assert len({beat.body["event_id"] for beat in beats}) > 3


async def test_an_accepted_callback_restores_the_patience(harness: Harness, settings: Settings) -> None:
    await harness.begin_in_meeting(settings)
    for _ in range(3):
        harness.control_plane.refuse("heartbeat", 401)
        await harness.clock.advance(100)
        harness.control_plane.recover()
        await harness.clock.advance(60)
    assert harness.is_running


async def test_a_bot_whose_start_is_not_accepted_exits_with_3(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("started", 503)
    await harness.begin(settings)
    outcome = await harness.end()
    assert (outcome.exit_code, outcome.reason) == (3, "control_plane_unreachable")
    assert 540 < harness.control_plane.of("started")[-1].at < 600
    assert set(harness.control_plane.names()) == {"started"}


async def test_an_outage_in_the_meeting_is_survived_however_long(harness: Harness, settings: Settings) -> None:
    await harness.begin_in_meeting(settings)
    harness.control_plane.refuse("heartbeat", 503)
    await harness.clock.advance(600)
    harness.control_plane.recover()
    before = len(harness.control_plane.of("heartbeat"))
    await harness.clock.advance(60)
    assert harness.is_running
    assert len(harness.control_plane.of("heartbeat")) - before in (2, 3)
