"""Leave is already in the reply to `started`: whoever asked for the bot thought better of it."""

from usher_bot.conformance.cases.case import Case
from usher_bot.conformance.control_plane import ControlPlane
from usher_bot.conformance.requirements import LEAVES_BEFORE_JOINING
from usher_bot.conformance.trial import MEETING_ID, START_WITHIN_S, Trial
from usher_models.wire import leave_command


def asked_to_leave(plane: ControlPlane) -> None:
    plane.commands.append(leave_command(MEETING_ID))


async def play(trial: Trial) -> None:
    started = await trial.call("started", within_s=START_WITHIN_S)
    trial.demand(LEAVES_BEFORE_JOINING, started is not None, f"It did not report `started`. {trial.how_it_is()}")
    ended = await trial.program.ended(within_s=trial.candidate.leave_grace_s + 10)
    trial.expect(LEAVES_BEFORE_JOINING, ended, f"It still runs. {trial.how_it_is()}")
    trial.expect(LEAVES_BEFORE_JOINING, not trial.plane.of("joined"), "It joined the meeting all the same.")


CASE = Case(
    title="asked to leave before it joined", requirements=(LEAVES_BEFORE_JOINING,), play=play, prepare=asked_to_leave
)
