"""A control plane that does not want this bot, or is not there at all."""

import pytest

from tests.unit.bot.world import World
from usher_bot.settings import Settings


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(410, "meeting_over", id="the meeting is over"),
        pytest.param(409, "another_pod_speaks", id="another pod speaks"),
    ],
)
@pytest.mark.parametrize("name", ["started", "status", "joined", "heartbeat"])
async def test_a_dismissed_bot_exits_with_4_and_says_nothing_more(
    world: World, settings: Settings, name: str, status: int, code: str
) -> None:
    world.control_plane.refuse(name, status, code=code)
    await world.begin(settings)
    world.driver.let_in.set()
    outcome = await world.end()
    assert outcome.exit_code == 4
    assert world.control_plane.calls[-1].name == name
    assert world.driver.done[-1] == "leave"


async def test_a_refused_last_word_does_not_change_how_the_life_ended(world: World, settings: Settings) -> None:
    world.control_plane.refuse("exited", 410)
    world.driver.ends.set()
    await world.begin_in_meeting(settings)
    outcome = await world.end()
    assert outcome.exit_code == 0
    assert len(world.control_plane.of("exited")) == 1


async def test_an_illegal_move_is_no_reason_to_stop(world: World, settings: Settings) -> None:
    for name in ("started", "joined", "status", "heartbeat"):
        world.control_plane.refuse(name, 409, code="illegal_move")
    await world.begin_in_meeting(settings)
    await world.clock.advance(120)
    assert world.lives
    assert len(world.control_plane.of("joined")) == 1
    assert len(world.control_plane.of("heartbeat")) == 4


@pytest.mark.parametrize(("status", "patience_s"), [(401, 120), (403, 120), (404, 60)])
async def test_a_lasting_refusal_is_final_after_its_patience(
    world: World, settings: Settings, status: int, patience_s: float
) -> None:
    world.control_plane.refuse("started", status)
    await world.begin(settings)
    outcome = await world.end()
    assert outcome.exit_code == 4
    last = world.control_plane.of("started")[-1].at
    assert patience_s <= last <= patience_s + 30


async def test_patience_runs_across_heartbeats(world: World, settings: Settings) -> None:
    await world.begin_in_meeting(settings)
    world.control_plane.refuse("heartbeat", 401)
    outcome = await world.end()
    assert outcome.exit_code == 4
    beats = world.control_plane.of("heartbeat")
    assert 120 <= beats[-1].at - beats[0].at <= 130
    assert len({beat.body["event_id"] for beat in beats}) > 3


async def test_an_accepted_callback_restores_the_patience(world: World, settings: Settings) -> None:
    await world.begin_in_meeting(settings)
    for _ in range(3):
        world.control_plane.refuse("heartbeat", 401)
        await world.clock.advance(100)
        world.control_plane.recover()
        await world.clock.advance(60)
    assert world.lives


async def test_a_bot_whose_start_nobody_hears_exits_with_3_after_ten_minutes(world: World, settings: Settings) -> None:
    world.control_plane.refuse("started", 503)
    await world.begin(settings)
    outcome = await world.end()
    assert (outcome.exit_code, outcome.reason) == (3, "control_plane_unreachable")
    assert 540 < world.control_plane.of("started")[-1].at < 600
    assert set(world.control_plane.names()) == {"started"}


async def test_an_outage_in_the_meeting_is_survived_however_long(world: World, settings: Settings) -> None:
    await world.begin_in_meeting(settings)
    world.control_plane.refuse("heartbeat", 503)
    await world.clock.advance(600)
    world.control_plane.recover()
    before = len(world.control_plane.of("heartbeat"))
    await world.clock.advance(60)
    assert world.lives
    assert len(world.control_plane.of("heartbeat")) - before in (2, 3)
