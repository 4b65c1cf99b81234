"""The exec driver with real child processes; time is real here, and short."""

import asyncio
import ctypes
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.unit.bot.harness import PASSCODE, some_settings
from usher_bot.clock import SystemClock
from usher_bot.drivers.base import NotJoined
from usher_bot.drivers.exec import child
from usher_bot.drivers.exec.driver import ExecDriver
from usher_models.exec_options import ExecOptions
from usher_models.states import Stage
from usher_models.wire import reconfigure_command

CHILD = [sys.executable, "-S", str(Path(__file__).with_name("vexa_bot.py"))]
Make = Callable[..., ExecDriver]


PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture(autouse=True)
def _inherit_orphans() -> Iterator[None]:
    """Make the tests' process what PID 1 is to a container."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture
async def make(token_file: Path) -> AsyncIterator[Make]:
    """Make a driver for a command; whatever it started is gone afterwards."""
    made: list[ExecDriver] = []

    def make_driver(*command: str, **options: Any) -> ExecDriver:
        driver = ExecDriver(
            ExecOptions(command=list(command), **options),
            settings=some_settings(token_file),
            clock=SystemClock(),
            environment=dict(os.environ),
            is_init=True,
        )
        made.append(driver)
        return driver

    yield make_driver
    for driver in made:
        await _cut_short(driver.leave())


async def _cut_short(leaving: Awaitable[None]) -> None:
    task = asyncio.ensure_future(leaving)
    await asyncio.wait([task], timeout=0.05)
    task.cancel()
    await asyncio.wait([task])


def _ignore(_stage: Stage) -> None:
    """Ignore the stage."""


async def test_a_childs_callbacks_become_stages_and_joined(make: Make) -> None:
    driver = make(*CHILD, "stay")
    stages: list[Stage] = []
    await driver.join(stages.append)
    assert stages == [Stage.JOINING, Stage.LOBBY]


async def test_what_a_child_says_of_its_end_is_the_outcome(make: Make) -> None:
    driver = make(*CHILD, "fail")
    await driver.join(_ignore)
    outcome = await driver.run()
    assert (outcome.exit_code, outcome.reason, outcome.detail) == (7, "post_join_setup_error", "No audio.")


@pytest.mark.parametrize(
    ("script", "exit_code", "reason"),
    [
        pytest.param("exit 0", 0, "meeting_ended", id="ended well"),
        pytest.param("exit 3", 3, "exit_code_3", id="failed"),
        pytest.param("kill -9 $$", 137, "exit_code_137", id="killed"),
    ],
)
async def test_a_child_that_ends_without_joining_or_a_word(
    make: Make, script: str, exit_code: int, reason: str
) -> None:
    with pytest.raises(NotJoined) as ended:
        await make("/bin/sh", "-c", script).join(_ignore)
    assert (ended.value.outcome.exit_code, ended.value.outcome.reason) == (exit_code, reason)


async def test_the_last_output_is_in_the_detail_of_a_failure(make: Make) -> None:
    script = f"seq 30; echo 'no key for {PASSCODE}' >&2; printf '\\033[31mred'; exit 3"
    with pytest.raises(NotJoined, match="ended with exit code 3") as ended:
        await make("/bin/sh", "-c", script).join(_ignore)
    detail = ended.value.outcome.detail or ""
    assert detail.startswith("Its last output:\n")
    assert {"30", "no key for ***", "[31mred"} <= set(detail.splitlines())
    assert len(detail.splitlines()) <= 13


async def test_a_flood_of_output_is_bounded(make: Make) -> None:
    with pytest.raises(NotJoined, match="ended with exit code 3") as ended:
        await make("/bin/sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; exit 3").join(_ignore)
    assert len(ended.value.outcome.detail or "") < 900


async def test_a_success_has_no_output_in_its_detail(make: Make) -> None:
    with pytest.raises(NotJoined, match="ended with exit code 0") as ended:
        await make("/bin/sh", "-c", "echo noise; exit 0").join(_ignore)
    assert ended.value.outcome.detail is None


async def test_a_program_that_is_not_there_is_an_error_with_its_name(make: Make) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        await make("no-such-program").join(_ignore)


async def test_a_child_leaves_at_sigterm(make: Make) -> None:
    driver = make(*CHILD, "stay")
    await driver.join(_ignore)
    await driver.leave()
    outcome = await driver.run()
    assert (outcome.exit_code, outcome.reason) == (143, "signal_sigterm")


async def test_a_child_that_refuses_sigterm_is_killed_when_its_time_is_up(make: Make) -> None:
    driver = make(*CHILD, "refuse")
    await driver.join(_ignore)
    await _cut_short(driver.leave())
    assert (await driver.run()).exit_code == 137


async def test_what_a_child_leaves_behind_ends_too(make: Make, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    driver = make("/bin/sh", "-c", f"sleep 60 & echo $! > {pid_file}; exit 0")
    with pytest.raises(NotJoined, match="ended with exit code 0"):
        await driver.join(_ignore)
    await driver.leave()
    assert not _runs(int(_read(pid_file)))


async def test_a_program_that_outlives_its_wrapper_gets_the_time_to_leave(make: Make, tmp_path: Path) -> None:
    said = tmp_path / "said"
    inner = f"trap 'sleep 0.1; echo left > {said}; exit 0' TERM; while :; do sleep 0.01; done"
    driver = make("/bin/sh", "-c", f'sh -c "{inner}" & wait')
    joining = asyncio.ensure_future(driver.join(_ignore))
    await asyncio.sleep(0.2)
    await driver.leave()
    await asyncio.wait([joining])
    assert isinstance(joining.exception(), NotJoined)
    assert _read(said) == "left\n"


def _wrapped(after: str, *, display: Path) -> tuple[str, ...]:
    """A shell that starts a display, which notes when it is ended, and then a bot; as the images of Vexa do."""
    ending = f"trap 'echo ended > {display}; exit 0' TERM; while :; do sleep 0.01; done"
    bot = " ".join(CHILD)
    return "/bin/sh", "-c", f'sh -c "{ending}" & {bot} leisurely; code=$?; {after} exit $code'


async def test_a_bot_behind_a_wrapper_leaves_while_its_display_still_runs(make: Make, tmp_path: Path) -> None:
    display, left = tmp_path / "display", tmp_path / "left"
    driver = make(*_wrapped("", display=display), env={"LEFT": str(left), "DISPLAY_FILE": str(display)})
    await driver.join(_ignore)
    await driver.leave()
    assert _read(left) == "with a display"
    assert _read(display) == "ended\n"
    assert (await driver.run()).exit_code == 143, "The wrapper hands on the code of its bot."


async def test_a_wrapper_that_goes_on_without_its_bot_is_ended_as_well(make: Make, tmp_path: Path) -> None:
    display, left = tmp_path / "display", tmp_path / "left"
    driver = make(
        *_wrapped("while :; do sleep 0.01; done;", display=display),
        env={"LEFT": str(left), "DISPLAY_FILE": str(display)},
    )
    await driver.join(_ignore)
    with patch.object(child, "WRAPPER_S", 0.1):
        await driver.leave()
    assert not driver.is_running


async def test_a_command_is_taken_on_once_a_reply_carried_it(make: Make) -> None:
    driver = make(*CHILD, "stay")
    await driver.join(_ignore)
    await asyncio.wait_for(driver.reconfigure(reconfigure_command(42, generation=1, config={"language": "de"})), 1)


async def test_participants_are_what_the_child_said_last(make: Make) -> None:
    driver = make(*CHILD, "stay")
    assert driver.participants is None
    await driver.join(_ignore)
    await driver.reconfigure(reconfigure_command(42, generation=1, config={}))
    assert driver.participants == 4


async def test_a_child_that_stops_heartbeats_is_given_up(make: Make) -> None:
    beat_once = "import vexa_bot as v, time; v.say('joined'); v.say('heartbeat'); time.sleep(60)"
    driver = make(sys.executable, "-S", "-c", beat_once, "stay", env=_here(), silence_s=0.1)
    await driver.join(_ignore)
    outcome = await driver.run()
    assert (outcome.exit_code, outcome.reason) == (1, "bot_silent")


async def test_a_child_that_goes_on_with_heartbeats_is_not_given_up(make: Make) -> None:
    steady = "import vexa_bot as v, time; v.say('joined'); [(v.say('heartbeat'), time.sleep(0.05)) for _ in range(12)]"
    driver = make(sys.executable, "-S", "-c", steady, env=_here(), silence_s=0.25)
    await driver.join(_ignore)
    assert (await driver.run()).reason == "meeting_ended"


async def test_a_child_without_heartbeats_is_not_expected_to_send_any(make: Make) -> None:
    never_beats = "import vexa_bot as v, time; v.say('joined'); time.sleep(0.3)"
    driver = make(sys.executable, "-S", "-c", never_beats, env=_here(), silence_s=0.05)
    await driver.join(_ignore)
    assert (await driver.run()).reason == "meeting_ended"


async def test_leaving_before_anything_was_started_is_harmless(make: Make) -> None:
    driver = make("/bin/true")
    await driver.leave()
    assert driver.participants is None


def _here() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).parent)}


def _read(path: Path) -> str:
    return path.read_text()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
