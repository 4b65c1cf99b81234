"""The simulated driver: its phases, and each way it goes wrong."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.bot.fake_time import FakeClock
from tests.unit.bot.harness import Harness, some_settings
from usher_bot.drivers.base import Faults
from usher_bot.drivers.simulated import SimulatedDriver, SimulatedOptions
from usher_models.wire import leave_command, reconfigure_command


class Fatal(Exception):
    """Stands for the end of the process."""


def simulated(clock: FakeClock, *, faults: Faults | None = None, **options: Any) -> SimulatedDriver:
    """A driver whose fatal acts raise instead."""

    def act(name: str) -> Any:
        def raises(*arguments: object) -> None:
            raise Fatal(name, *arguments)

        return raises

    return SimulatedDriver(
        SimulatedOptions(**options),
        clock=clock,
        faults=faults or Faults(),
        exit_at_once=act("die"),
        hang=act("hang"),
        eat_memory=act("eat_memory"),
    )


async def live(harness: Harness, token_file: Path, **options: Any) -> None:
    """Start a bot with the simulated driver."""
    faults = Faults()
    await harness.begin(
        some_settings(token_file), driver=simulated(harness.clock, faults=faults, **options), faults=faults
    )


async def test_a_normal_life_takes_as_long_as_its_phases(harness: Harness, token_file: Path) -> None:
    await live(harness, token_file, boot_s=1, lobby_s=2, meeting_s=100)
    outcome = await harness.end()
    assert outcome.reason == "meeting_ended"
    times = {call.name: call.at for call in harness.control_plane.calls if call.name != "heartbeat"}
    assert times == {"started": 0, "status": 1, "joined": 3, "exited": 103}


async def test_without_a_lobby_none_is_reported(harness: Harness, token_file: Path) -> None:
    await live(harness, token_file, lobby_s=0, meeting_s=1)
    await harness.end()
    assert "lobby" not in [call.body.get("stage") for call in harness.control_plane.calls]


async def test_leaving_takes_its_time_only_from_inside(harness: Harness, token_file: Path) -> None:
    await live(harness, token_file, boot_s=10, leave_s=7)
    harness.lifecycle.terminate()
    await harness.end()
    assert harness.clock.now() == 0


async def test_leaving_a_meeting_takes_leave_s(harness: Harness, token_file: Path) -> None:
    await live(harness, token_file, boot_s=1, lobby_s=0, leave_s=7)
    await harness.clock.advance(1)
    harness.lifecycle.terminate()
    await harness.end()
    assert harness.control_plane.of("exited")[0].at == 8


async def test_participants_are_known_only_in_the_meeting(clock: FakeClock) -> None:
    driver = simulated(clock, boot_s=0, lobby_s=0, leave_s=0, participants=5)
    assert driver.participants is None
    joining = driver.join(lambda _stage: None)
    await _run(joining, clock)
    assert driver.participants == 5
    await _run(driver.leave(), clock)
    assert driver.participants is None


async def _run(coroutine: Any, clock: FakeClock) -> None:
    task = asyncio.ensure_future(coroutine)
    await clock.run_until(task.done)
    task.result()


@pytest.mark.parametrize(
    ("behaviour", "reason", "exit_code"),
    [("evicted", "evicted_from_meeting", 0), ("denied", "admission_denied", 2), ("lobby", "admission_timeout", 2)],
)
async def test_behaviours_that_end_with_a_reason_of_their_own(
    harness: Harness, token_file: Path, behaviour: str, reason: str, exit_code: int
) -> None:
    await live(harness, token_file, behaviour=behaviour)
    outcome = await harness.end()
    assert (outcome.reason, outcome.exit_code) == (reason, exit_code)


async def test_a_zombie_beats_on_past_its_lobby_budget(harness: Harness, token_file: Path) -> None:
    await live(harness, token_file, behaviour="zombie")
    await harness.clock.advance(2_000)
    assert harness.control_plane.of("joined") == []
    assert harness.control_plane.of("exited") == []
    assert harness.control_plane.of("heartbeat")[-1].at > 1_900


@pytest.mark.parametrize(("behaviour", "act"), [("crash", ("die", 9)), ("hang", ("hang",)), ("oom", ("eat_memory",))])
async def test_behaviours_that_take_the_process_down_do_so_after_s_after_joining(
    harness: Harness, token_file: Path, behaviour: str, act: tuple[object, ...]
) -> None:
    await live(harness, token_file, behaviour=behaviour, boot_s=1, lobby_s=2, after_s=5, leave_s=0, exit_code=9)
    outcome = await harness.end()
    assert harness.control_plane.of("exited")[0].at == 8
    assert outcome.detail == f"Fatal: {act if len(act) > 1 else act[0]}"


async def test_a_silent_bot_stops_heartbeats_and_leaves_when_asked(harness: Harness, token_file: Path) -> None:
    await live(harness, token_file, behaviour="silent", boot_s=0, lobby_s=0, after_s=100)
    await harness.clock.advance(400)
    assert [call.at for call in harness.control_plane.of("heartbeat")] == [30, 60, 90]
    assert harness.is_running
    harness.lifecycle.terminate()
    assert (await harness.end()).reason == "terminated"


async def test_a_bot_that_ignores_leave_outlives_commands_signals_dismissal_and_limits(
    harness: Harness, token_file: Path
) -> None:
    faults = Faults()
    driver = simulated(harness.clock, faults=faults, behaviour="ignore_leave", boot_s=0, lobby_s=0)
    await harness.begin(some_settings(token_file, max_duration_s=600), driver=driver, faults=faults)
    harness.control_plane.commands = [leave_command(42)]
    await harness.clock.advance(60)
    harness.lifecycle.terminate()
    harness.control_plane.refuse("heartbeat", 410)
    await harness.clock.advance(1000)
    assert harness.is_running
    assert harness.control_plane.calls[-1].at > 1000


async def test_a_reconfiguration_is_taken_on(clock: FakeClock) -> None:
    await simulated(clock).reconfigure(reconfigure_command(42, generation=1, config={"language": "de"}))


@pytest.mark.parametrize(
    "options",
    [{"boot_s": -1}, {"meeting_s": 1e9}, {"exit_code": 256}, {"participants": -1}, {"after": 1}, {"behaviour": ""}],
)
def test_options_out_of_bounds_and_unknown_ones_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SimulatedOptions(**options)
