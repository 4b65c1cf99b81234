"""What a case is made of."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from usher_bot.conformance.control_plane import ControlPlane
from usher_bot.conformance.requirements import Requirement, Result, Verdict
from usher_bot.conformance.trial import Candidate, NotReached, Trial, trial_of


def as_it_is(_: ControlPlane) -> None:
    """The control plane is well."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One situation, and the requirements that it shows."""

    title: str
    requirements: tuple[Requirement, ...]
    play: Callable[[Trial], Awaitable[None]]
    prepare: Callable[[ControlPlane], None] = as_it_is

    async def verdicts(self, candidate: Candidate) -> tuple[list[Verdict], str]:
        """Play it: a verdict for each of its requirements, and the last lines that the bot wrote."""
        async with trial_of(candidate, prepare=self.prepare) as trial:
            with suppress(NotReached):
                await self.play(trial)
            return [self._verdict(trial, each) for each in self.requirements], trial.program.last_lines()

    @staticmethod
    def _verdict(trial: Trial, requirement: Requirement) -> Verdict:
        unseen = Verdict(requirement=requirement, result=Result.NOT_REACHED, seen="What comes before it failed.")
        return trial.verdicts.get(requirement.name, unseen)
