"""The control plane is away for a while, in the meeting."""

import asyncio

from usher_bot.conformance.answers import away
from usher_bot.conformance.cases.case import Case
from usher_bot.conformance.requirements import SURVIVES_OUTAGE
from usher_bot.conformance.trial import Trial, now

AWAY_S = 5.0
# A bot may wait half a minute between two tries.
BACK_WITHIN_S = 45.0


async def play(trial: Trial) -> None:
    await trial.in_the_meeting(SURVIVES_OUTAGE)
    trial.plane.answer = away
    await asyncio.sleep(AWAY_S)
    alive = trial.program.exit_code is None
    trial.demand(SURVIVES_OUTAGE, alive, f"It ended. {trial.how_it_is()}")
    trial.plane.answer = None
    beat = await trial.call("heartbeat", after=now(), within_s=BACK_WITHIN_S)
    trial.expect(SURVIVES_OUTAGE, beat is not None, f"No heartbeat when it was back. {trial.how_it_is()}")


CASE = Case(title="the control plane is away in the meeting", requirements=(SURVIVES_OUTAGE,), play=play)
