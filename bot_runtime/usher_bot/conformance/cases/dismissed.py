"""The meeting is over for Usher, which tells the bot so."""

from usher_bot.conformance.answers import meeting_over
from usher_bot.conformance.cases.case import Case
from usher_bot.conformance.requirements import OBEYS_DISMISSAL
from usher_bot.conformance.trial import NEXT_BEAT_S, Trial, now


async def play(trial: Trial) -> None:
    await trial.in_the_meeting(OBEYS_DISMISSAL)
    trial.plane.answer = meeting_over
    told = await trial.call("heartbeat", "status", after=now(), within_s=NEXT_BEAT_S * 5)
    trial.demand(OBEYS_DISMISSAL, told is not None, f"It sent no callback that could be answered. {trial.how_it_is()}")
    ended = await trial.program.ended(within_s=trial.candidate.leave_grace_s + 10)
    trial.expect(OBEYS_DISMISSAL, ended, f"It still runs. {trial.how_it_is()}")
    # What was on its way when the answer came is no fault.
    after = [call.kind for call in trial.plane.calls if told and call.at > told.at + 1]
    trial.expect(OBEYS_DISMISSAL, not after, f"It went on to report {after}.")


CASE = Case(title="dismissed in the meeting", requirements=(OBEYS_DISMISSAL,), play=play)
