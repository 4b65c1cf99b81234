"""Reports to a control plane that is away: each is tried for its time, and then told as undelivered."""

from typing import Any, cast

import pytest

from tests.unit.bot.fake_time import InstantClock
from usher_bot.answers import Answer
from usher_bot.commands import Inbox
from usher_bot.control_plane import ControlPlane
from usher_bot.errors import MeetingOver, NotApplied, Unreachable
from usher_bot.exit_codes import STOPPED
from usher_bot.retry import Retrier
from usher_bot.state import BotState
from usher_bot.transport import Transport
from usher_models.states import Stage
from usher_models.wire import leave_command


class Line:
    """A transport that raises, or answers with a command."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.bodies: list[dict[str, Any]] = []

    async def send(self, method: str, name: str, *, body: dict[str, Any], timeout_s: float) -> Answer:
        self.bodies.append(body)
        if self.error:
            raise self.error
        return Answer(commands=[leave_command(42)])


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def plane(line: Line, inbox: Inbox) -> ControlPlane:
    return ControlPlane(
        connection_id="c-1",
        container_id="pod-1",
        transport=cast("Transport", line),
        retrier=Retrier(clock=InstantClock()),
        inbox=inbox,
    )


async def test_what_is_delivered_says_so_and_hands_over_its_commands(plane: ControlPlane, inbox: Inbox) -> None:
    assert await plane.joined()
    assert inbox.leave_asked.is_set()


async def test_what_could_not_be_delivered_is_logged_and_ends_nothing(
    plane: ControlPlane, line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line.error = Unreachable()
    sent = [plane.joined(), plane.status(stage=Stage.LOBBY), plane.exit_report(STOPPED)(None)]
    assert [await each for each in sent] == [False] * 3
    undelivered = [f"{name}_undelivered" for name in ("joined", "status", "exited")]
    assert [record.__dict__["action"] for record in caplog.records if record.levelname == "ERROR"] == undelivered


async def test_a_heartbeat_is_tried_again_after_five_seconds_at_most(line: Line, inbox: Inbox) -> None:
    clock = InstantClock()
    retrier = Retrier(clock=clock, jitter=lambda _low, high: high)
    plane = ControlPlane(
        connection_id="c-1", container_id=None, transport=cast("Transport", line), retrier=retrier, inbox=inbox
    )
    line.error = Unreachable()
    await plane.heartbeat(BotState(), participants=None, within_s=30)
    assert clock.slept[:6] == [0.5, 1, 2, 4, 5, 5]


async def test_a_report_of_the_exit_is_the_same_event_however_often_it_is_sent(plane: ControlPlane, line: Line) -> None:
    report = plane.exit_report(STOPPED)
    assert [await report(5), await report(None)] == [True, True]
    assert line.bodies[0] == line.bodies[1]


async def test_what_the_control_plane_declines_is_delivered_all_the_same(plane: ControlPlane, line: Line) -> None:
    line.error = NotApplied()
    assert await plane.joined()


async def test_a_dismissal_is_raised(plane: ControlPlane, line: Line) -> None:
    line.error = MeetingOver()
    with pytest.raises(MeetingOver, match="The meeting is over"):
        await plane.joined()
    with pytest.raises(MeetingOver, match="The meeting is over"):
        await plane.heartbeat(BotState(), participants=None, within_s=30)


async def test_a_heartbeat_that_is_not_delivered_in_its_time_is_left(plane: ControlPlane, line: Line) -> None:
    line.error = Unreachable()
    assert await plane.heartbeat(BotState(), participants=2, within_s=30) is None
    assert {body["participants"] for body in line.bodies} == {2}


async def test_each_callback_has_an_event_of_its_own_and_a_growing_number(plane: ControlPlane, line: Line) -> None:
    for _ in range(3):
        await plane.joined()
    assert len({body["event_id"] for body in line.bodies}) == 3
    numbers = [body["seq"] for body in line.bodies]
    assert numbers == sorted(set(numbers))
