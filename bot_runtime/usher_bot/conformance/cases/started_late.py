"""The control plane is away when the bot starts."""

import asyncio

from usher_bot.conformance.answers import away
from usher_bot.conformance.cases.case import Case
from usher_bot.conformance.control_plane import ControlPlane
from usher_bot.conformance.requirements import STARTS_LATE
from usher_bot.conformance.trial import START_WITHIN_S, Trial, now

AWAY_S = 4.0


def is_away(plane: ControlPlane) -> None:
    plane.answer = away


async def play(trial: Trial) -> None:
    tried = await trial.call("started", within_s=START_WITHIN_S)
    trial.demand(STARTS_LATE, tried is not None, f"It did not try to report `started`. {trial.how_it_is()}")
    await asyncio.sleep(AWAY_S)
    trial.plane.answer = None
    again = await trial.call("started", after=now(), within_s=START_WITHIN_S)
    trial.demand(STARTS_LATE, again is not None, f"It did not try again. {trial.how_it_is()}")
    joined = await trial.call("joined", after=now(), within_s=trial.candidate.join_within_s)
    trial.expect(STARTS_LATE, joined is not None, f"It did not join then. {trial.how_it_is()}")


CASE = Case(title="the control plane is away at the start", requirements=(STARTS_LATE,), play=play, prepare=is_away)
