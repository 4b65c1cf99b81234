"""The plan of a soak: every request, act and kill, drawn beforehand from one seed.

What the machine makes of it differs from run to run; what is done to it does not.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

from tests.faults.soaking.kinds import BAD, WELL, Kind

REQUESTS_PER_S = 5.0
USERS = 25
CAP = 5
BAD_SHARE = 0.1
OVER_REST_SHARE = 0.5
ACT_SHARE = 0.5


class What(StrEnum):
    """What a person does to a bot."""

    LEAVE = "leave"
    RECONFIGURE = "reconfigure"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something done so many seconds after the request."""

    after_s: float
    what: What


@dataclass(frozen=True, kw_only=True)
class Life:
    """One request, what kind of bot comes of it, and what is done to it."""

    number: int
    at_s: float
    user: int
    over_rest: bool
    kind: Kind
    meeting_s: float
    acts: tuple[Act, ...]

    @property
    def native_id(self) -> str:
        """The meeting's id on its platform: nobody else's."""
        return f"soak-{self.number}-{self.kind.name}"

    def may_end(self, status: str, reason: str) -> bool:
        """Whether this life may end so: by itself, or by what people did to it."""
        whats = {act.what for act in self.acts}
        allowed = self.kind.ends
        if What.LEAVE in whats:
            allowed |= self.kind.left
        if What.DELETE in whats:
            allowed |= self.kind.deleted
        return (status, reason) in allowed


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that is done; moments are seconds since the begin. `kills` are by the process's command."""

    seconds: float
    lives: tuple[Life, ...]
    kills: dict[str, tuple[float, ...]]

    def life_of(self, native_id: str) -> Life:
        """The life of a meeting."""
        return self.lives[int(native_id.split("-")[1])]


Span = tuple[float, float]


def draw(seed: int, *, seconds: float, meeting_s: Span, kill_every_s: Span, slow: bool) -> Plan:
    """The plan of that seed. `slow` lets kinds in whose end takes a minute."""
    dice = random.Random(f"soak {seed}")
    lives: list[Life] = []
    at_s = dice.expovariate(REQUESTS_PER_S)
    while at_s < seconds:
        lives.append(_a_life(dice, number=len(lives), at_s=at_s, meeting_s=meeting_s, slow=slow))
        at_s += dice.expovariate(REQUESTS_PER_S)
    kills = {command: _kills(dice, seconds, kill_every_s) for command in ("operate", "serve")}
    return Plan(seconds=seconds, lives=tuple(lives), kills=kills)


def _a_life(dice: random.Random, *, number: int, at_s: float, meeting_s: Span, slow: bool) -> Life:
    bad = [kind for kind in BAD if slow or not kind.slow]
    kind = dice.choice(bad) if dice.random() < BAD_SHARE else WELL
    over_rest = dice.random() < OVER_REST_SHARE
    return Life(
        number=number,
        at_s=at_s,
        user=dice.randrange(USERS),
        over_rest=over_rest,
        kind=kind,
        meeting_s=dice.uniform(*meeting_s),
        acts=_acts(dice, within_s=meeting_s[1], over_rest=over_rest),
    )


def _acts(dice: random.Random, *, within_s: float, over_rest: bool) -> tuple[Act, ...]:
    """Reconfigurations and at most one end; the REST API has no way to delete a BotRequest."""
    if dice.random() >= ACT_SHARE:
        return ()
    acts = [Act(after_s=dice.uniform(0, within_s), what=What.RECONFIGURE) for _ in range(dice.choice((0, 1, 1, 2)))]
    if dice.random() < ACT_SHARE:
        last = What.LEAVE if over_rest else dice.choice((What.LEAVE, What.DELETE))
        acts.append(Act(after_s=dice.uniform(0, within_s), what=last))
    return tuple(sorted(acts, key=lambda act: act.after_s))


def _kills(dice: random.Random, seconds: float, every_s: Span) -> tuple[float, ...]:
    moments: list[float] = []
    at_s = dice.uniform(*every_s)
    while at_s < seconds:
        moments.append(at_s)
        at_s += dice.uniform(*every_s)
    return tuple(moments)
