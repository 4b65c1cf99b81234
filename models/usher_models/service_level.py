"""The service level: of the bots that ended, how many joined, and through whom the others were lost.

An attempt is a bot that ended, however. It is lost when it failed. It is lost through us when the cluster, Usher or the
bot was to blame; what users, hosts and platforms decide spends no error budget.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from usher_models.outcomes import Party
from usher_models.states import Status

OURS = frozenset({Party.INFRASTRUCTURE, Party.USHER, Party.BOT})
PARTIES: tuple[Party, ...] = tuple(party for party in Party if party is not Party.NONE)


@dataclass(frozen=True, kw_only=True)
class EndCount:
    """How many bots of a platform ended alike. `fault` is None of ends from before it was noted."""

    platform: str
    status: str
    fault: str | None
    joined: bool
    count: int


@dataclass(frozen=True, kw_only=True)
class ServiceLevel:
    """The figures of some ends. `lost` counts those that failed, by party."""

    attempts: int
    joined: int
    lost: dict[Party, int]

    @property
    def lost_through_us(self) -> int:
        """How many were lost through the cluster, Usher or the bot."""
        return sum(count for party, count in self.lost.items() if party in OURS)

    def budget(self, objective: float) -> float:
        """How many may be lost through us while the share of the others stays at `objective` (0 to 1)."""
        return self.attempts * (1 - objective)

    def burn_rate(self, objective: float) -> float:
        """How fast the budget is spent: at 1 it lasts exactly for its period."""
        return self.lost_through_us / self.budget(objective) if self.attempts else 0.0


def _party(fault: str | None) -> Party:
    """The bot's is what was not noted, or is a word of a version of Usher that this one does not know."""
    return Party(fault) if fault in PARTIES else Party.BOT


def service_level(ends: Iterable[EndCount]) -> ServiceLevel:
    """The figures of those ends. An end from before faults were noted counts as the bot's."""
    ends = list(ends)
    lost: dict[Party, int] = dict.fromkeys(PARTIES, 0)
    for end in ends:
        if end.status == Status.FAILED:
            lost[_party(end.fault)] += end.count
    return ServiceLevel(
        attempts=sum(end.count for end in ends), joined=sum(end.count for end in ends if end.joined), lost=lost
    )
