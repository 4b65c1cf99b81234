"""What heartbeats carry, when they come, and what they repair."""

import pytest

from tests.unit.bot.harness import Harness
from usher_bot.drivers.base import Faults
from usher_bot.settings import Settings
from usher_models.wire import reconfigure_command


async def test_a_heartbeat_carries_status_stage_and_participants(harness: Harness, settings: Settings) -> None:
    await harness.begin(settings)
    await harness.clock.advance(30)
    harness.driver.let_in.set()
    await harness.clock.advance(30)
    lobby, meeting = (call.body for call in harness.control_plane.of("heartbeat"))
    assert (lobby["status"], lobby["stage"]) == ("starting", "lobby")
    assert (meeting["status"], meeting["stage"], meeting["participants"]) == ("active", "in_meeting", 2)
    assert "applied_generation" not in meeting


async def test_a_heartbeat_tells_what_a_lost_joined_did_not(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("joined", 503)
    await harness.begin_in_meeting(settings)
    await harness.clock.advance(30)
    assert harness.control_plane.of("heartbeat")[-1].body["status"] == "active"


async def test_heartbeats_go_on_while_leaving_and_say_so(harness: Harness, settings: Settings) -> None:
    harness.control_plane.next_beat_s = 5
    harness.driver.leaves = False
    await harness.begin_in_meeting(settings)
    harness.lifecycle.terminate()
    await harness.clock.advance(12)
    beats = [call.body["status"] for call in harness.control_plane.of("heartbeat")]
    assert beats == ["stopping", "stopping"]


async def test_the_control_plane_sets_the_pace(harness: Harness, settings: Settings) -> None:
    harness.control_plane.next_beat_s = 7
    await harness.begin_in_meeting(settings)
    await harness.clock.advance(22)
    assert [call.at for call in harness.control_plane.of("heartbeat")] == [7, 14, 21]


@pytest.mark.parametrize("nonsense", [None, 0, -3, 1e9])
async def test_a_pace_that_makes_no_sense_is_replaced_by_the_bots_own(
    harness: Harness, settings: Settings, nonsense: float | None
) -> None:
    harness.control_plane.next_beat_s = nonsense
    await harness.begin_in_meeting(settings)
    await harness.clock.advance(61)
    assert [call.at for call in harness.control_plane.of("heartbeat")] == [30, 60]


async def test_a_heartbeat_is_retried_until_the_next_is_due(harness: Harness, settings: Settings) -> None:
    await harness.begin_in_meeting(settings)
    harness.control_plane.refuse("heartbeat", 503)
    await harness.clock.advance(89)
    beats = harness.control_plane.of("heartbeat")
    ids = list(dict.fromkeys(beat.body["event_id"] for beat in beats))
    assert len(ids) == 2
    assert all(beat.at < 60 for beat in beats if beat.body["event_id"] == ids[0])
    assert all(beat.at >= 60 for beat in beats if beat.body["event_id"] == ids[1])


async def test_a_driver_that_cannot_count_does_not_stop_heartbeats(
    harness: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Confused(type(harness.driver)):  # type: ignore[misc]
        @property
        def participants(self) -> int:
            raise ValueError("Too many.")

    monkeypatch.setattr(harness.driver, "__class__", Confused)
    await harness.begin_in_meeting(settings)
    await harness.clock.advance(65)
    assert harness.is_running


async def test_a_silent_bot_runs_without_heartbeats(harness: Harness, settings: Settings) -> None:
    harness.driver.let_in.set()
    await harness.begin(settings, faults=Faults(sends_no_heartbeats=True))
    await harness.clock.advance(300)
    assert harness.is_running
    assert harness.control_plane.of("heartbeat") == []


async def test_a_driver_that_shows_no_life_sends_no_heartbeats_until_it_does(
    harness: Harness, settings: Settings
) -> None:
    await harness.begin_in_meeting(settings)
    harness.driver.is_alive = False
    await harness.clock.advance(95)
    assert harness.control_plane.of("heartbeat") == []
    harness.driver.is_alive = True
    await harness.clock.advance(30)
    assert len(harness.control_plane.of("heartbeat")) == 1


async def test_a_reconfiguration_is_acknowledged_by_a_heartbeat_at_once(harness: Harness, settings: Settings) -> None:
    await harness.begin_in_meeting(settings)
    harness.control_plane.commands = [reconfigure_command(42, generation=3, config={"language": "de"})]
    await harness.clock.advance(30.5)
    assert [command.language for command in harness.driver.configurations] == ["de"]
    acknowledged = harness.control_plane.of("heartbeat")[-1]
    assert (acknowledged.at, acknowledged.body["applied_generation"]) == (30, 3)


async def test_generations_only_move_forward(harness: Harness, settings: Settings) -> None:
    await harness.begin_in_meeting(settings)
    harness.control_plane.commands = [
        reconfigure_command(42, generation=3, config={"language": "de"}),
        reconfigure_command(42, generation=2, config={"language": "fr"}),
    ]
    await harness.clock.advance(65)
    assert [command.generation for command in harness.driver.configurations] == [3]


async def test_a_configuration_that_the_driver_refuses_is_not_acknowledged_and_tried_again(
    harness: Harness, settings: Settings
) -> None:
    await harness.begin_in_meeting(settings)
    harness.driver.refuses_configuration = True
    harness.control_plane.commands = [reconfigure_command(42, generation=1, config={"language": "xx"})]
    await harness.clock.advance(60)
    assert "applied_generation" not in harness.control_plane.of("heartbeat")[-1].body
    harness.driver.refuses_configuration = False
    await harness.clock.advance(31)
    assert harness.control_plane.of("heartbeat")[-1].body["applied_generation"] == 1
