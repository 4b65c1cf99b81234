"""Something that is not Usher answers for a while: an ingress, a service mesh, a Service that points elsewhere."""

import asyncio

from usher_bot.conformance.answers import page
from usher_bot.conformance.cases.case import Case
from usher_bot.conformance.requirements import BELIEVES_USHER_ONLY
from usher_bot.conformance.trial import Trial

EACH_S = 2.5


async def play(trial: Trial) -> None:
    await trial.in_the_meeting(BELIEVES_USHER_ONLY)
    for status in (403, 404, 410):
        trial.plane.answer = lambda _, status=status: page(status)
        await asyncio.sleep(EACH_S)
        alive = trial.program.exit_code is None
        trial.demand(BELIEVES_USHER_ONLY, alive, f"A page with {status} ended it. {trial.how_it_is()}")
    await trial.expect_heartbeats_again(BELIEVES_USHER_ONLY)


CASE = Case(title="something else answers in the meeting", requirements=(BELIEVES_USHER_ONLY,), play=play)
