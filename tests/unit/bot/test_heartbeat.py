"""What heartbeats carry, when they come, and what they repair."""

import pytest

from tests.unit.bot.world import World
from usher_bot.drivers.base import Faults
from usher_bot.settings import Settings
from usher_models.wire import reconfigure_command


async def test_a_heartbeat_carries_status_stage_and_participants(world: World, settings: Settings) -> None:
    await world.begin(settings)
    await world.clock.advance(30)
    world.driver.let_in.set()
    await world.clock.advance(30)
    lobby, meeting = (call.body for call in world.control_plane.of("heartbeat"))
    assert (lobby["status"], lobby["stage"]) == ("starting", "lobby")
    assert (meeting["status"], meeting["stage"], meeting["participants"]) == ("active", "in_meeting", 2)
    assert "applied_generation" not in meeting


async def test_a_heartbeat_tells_what_a_lost_joined_did_not(world: World, settings: Settings) -> None:
    world.control_plane.refuse("joined", 503)
    await world.begin_in_meeting(settings)
    await world.clock.advance(30)
    assert world.control_plane.of("heartbeat")[-1].body["status"] == "active"


async def test_heartbeats_go_on_while_leaving_and_say_so(world: World, settings: Settings) -> None:
    world.control_plane.next_beat_s = 5
    world.driver.leaves = False
    await world.begin_in_meeting(settings)
    world.life.terminate()
    await world.clock.advance(12)
    beats = [call.body["status"] for call in world.control_plane.of("heartbeat")]
    assert beats == ["stopping", "stopping"]


async def test_the_control_plane_sets_the_pace(world: World, settings: Settings) -> None:
    world.control_plane.next_beat_s = 7
    await world.begin_in_meeting(settings)
    await world.clock.advance(22)
    assert [call.at for call in world.control_plane.of("heartbeat")] == [7, 14, 21]


@pytest.mark.parametrize("nonsense", [None, 0, -3, 1e9])
async def test_a_pace_that_makes_no_sense_is_replaced_by_the_bots_own(
    world: World, settings: Settings, nonsense: float | None
) -> None:
    world.control_plane.next_beat_s = nonsense
    await world.begin_in_meeting(settings)
    await world.clock.advance(61)
    assert [call.at for call in world.control_plane.of("heartbeat")] == [30, 60]


async def test_a_heartbeat_is_tried_until_the_next_is_due_and_never_queued(world: World, settings: Settings) -> None:
    await world.begin_in_meeting(settings)
    world.control_plane.refuse("heartbeat", 503)
    await world.clock.advance(89)
    beats = world.control_plane.of("heartbeat")
    ids = list(dict.fromkeys(beat.body["event_id"] for beat in beats))
    assert len(ids) == 2
    assert all(beat.at < 60 for beat in beats if beat.body["event_id"] == ids[0])
    assert all(beat.at >= 60 for beat in beats if beat.body["event_id"] == ids[1])


async def test_a_driver_that_cannot_count_does_not_stop_the_heart(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Confused(type(world.driver)):  # type: ignore[misc]
        @property
        def participants(self) -> int:
            raise ValueError("Too many.")

    monkeypatch.setattr(world.driver, "__class__", Confused)
    await world.begin_in_meeting(settings)
    await world.clock.advance(65)
    assert world.lives


async def test_a_silent_bot_lives_without_heartbeats(world: World, settings: Settings) -> None:
    world.driver.let_in.set()
    await world.begin(settings, faults=Faults(mute=True))
    await world.clock.advance(300)
    assert world.lives
    assert world.control_plane.of("heartbeat") == []


async def test_a_driver_that_shows_no_life_sends_no_heartbeats_until_it_does(world: World, settings: Settings) -> None:
    await world.begin_in_meeting(settings)
    world.driver.is_alive = False
    await world.clock.advance(95)
    assert world.control_plane.of("heartbeat") == []
    world.driver.is_alive = True
    await world.clock.advance(30)
    assert len(world.control_plane.of("heartbeat")) == 1


async def test_a_reconfiguration_is_acknowledged_by_a_heartbeat_at_once(world: World, settings: Settings) -> None:
    await world.begin_in_meeting(settings)
    world.control_plane.commands = [reconfigure_command(42, generation=3, config={"language": "de"})]
    await world.clock.advance(30.5)
    assert [command.language for command in world.driver.configurations] == ["de"]
    acknowledged = world.control_plane.of("heartbeat")[-1]
    assert (acknowledged.at, acknowledged.body["applied_generation"]) == (30, 3)


async def test_generations_only_move_forward(world: World, settings: Settings) -> None:
    await world.begin_in_meeting(settings)
    world.control_plane.commands = [
        reconfigure_command(42, generation=3, config={"language": "de"}),
        reconfigure_command(42, generation=2, config={"language": "fr"}),
    ]
    await world.clock.advance(65)
    assert [command.generation for command in world.driver.configurations] == [3]


async def test_a_configuration_that_the_driver_refuses_is_not_acknowledged_and_tried_again(
    world: World, settings: Settings
) -> None:
    await world.begin_in_meeting(settings)
    world.driver.refuses_configuration = True
    world.control_plane.commands = [reconfigure_command(42, generation=1, config={"language": "xx"})]
    await world.clock.advance(60)
    assert "applied_generation" not in world.control_plane.of("heartbeat")[-1].body
    world.driver.refuses_configuration = False
    await world.clock.advance(31)
    assert world.control_plane.of("heartbeat")[-1].body["applied_generation"] == 1
