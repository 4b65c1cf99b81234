"""SIGTERM in the meeting, as a drain of the node sends it."""

from usher_bot.conformance.cases.case import Case
from usher_bot.conformance.requirements import LEAVES_ON_SIGTERM
from usher_bot.conformance.trial import Trial, now


async def play(trial: Trial) -> None:
    await trial.in_the_meeting(LEAVES_ON_SIGTERM)
    grace_s = trial.candidate.leave_grace_s
    trial.program.terminate()
    told = now()
    ended = await trial.program.ended(within_s=grace_s + 10)
    took_s = now() - told
    trial.demand(LEAVES_ON_SIGTERM, ended, f"It still ran {took_s:.0f} s after SIGTERM.")
    # A bot has two thirds of its grace to leave; the rest is for its report.
    trial.expect(
        LEAVES_ON_SIGTERM,
        took_s < grace_s * 2 / 3 - 1,
        f"It took {took_s:.1f} s, which is all that it has: what it runs was ended by force.",
    )
    trial.expect(LEAVES_ON_SIGTERM, bool(trial.plane.of("exited")), "It ended without reporting `exited`.")


CASE = Case(title="SIGTERM in the meeting", requirements=(LEAVES_ON_SIGTERM,), play=play)
