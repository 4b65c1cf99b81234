"""The control plane is away for a while, in the meeting."""

import asyncio

from usher_bot.conformance.answers import away
from usher_bot.conformance.cases.case import Case
from usher_bot.conformance.requirements import SURVIVES_OUTAGE
from usher_bot.conformance.trial import Trial

AWAY_S = 5.0


async def play(trial: Trial) -> None:
    await trial.in_the_meeting(SURVIVES_OUTAGE)
    trial.plane.answer = away
    await asyncio.sleep(AWAY_S)
    alive = trial.program.exit_code is None
    trial.demand(SURVIVES_OUTAGE, alive, f"It ended. {trial.how_it_is()}")
    await trial.expect_heartbeats_again(SURVIVES_OUTAGE)


CASE = Case(title="the control plane is away in the meeting", requirements=(SURVIVES_OUTAGE,), play=play)
