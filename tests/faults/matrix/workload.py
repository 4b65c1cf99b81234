"""The bots of an installation in the matrix, and what clients do during a fault: create, command and delete bots.

A workload knows which bots are healthy and shall live on, so that none of them may be missing afterwards.
"""

import asyncio
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import text

from tests.faults.harness.installation import Installation
from tests.faults.soaking.kinds import WELL
from tests.faults.soaking.people import People
from tests.faults.soaking.plan import Act, Life, What

USERS = 10
CAP = 1000
BOTS = 16
TOLD, SENT_AWAY, ASKED_FOR = 4, 2, 4
STAYS_S = 7200.0
# A call over REST is repeated for as long as anything is away, and the time in which all must be well again.
PATIENCE_S = 300.0

_STATES = text("""
SELECT m.platform_specific_id AS native_id, m.status, coalesce(b.reason, '') AS reason, b.connection_id,
       b.job_created_at IS NOT NULL AS has_job, b.config_generation, coalesce(b.applied_generation, 0) AS applied,
       coalesce(h.at >= :since, false) AS heard
FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id LEFT JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id
""")


@dataclass(frozen=True, kw_only=True)
class State:
    """What a row says of a bot."""

    native_id: str
    status: str
    reason: str
    connection_id: str
    has_job: bool
    config_generation: int
    applied: int
    heard: bool


@dataclass
class Workload:
    """`living` are the lives that go on; `gone` those that were sent away, and must end as `stopped`."""

    installation: Installation
    people: People
    dice: random.Random
    living: list[Life] = field(default_factory=list)
    gone: list[Life] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    """How often each was told another language, by native id."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    async def settle(cls, people: People, *, seed: int) -> "Workload":
        """People who have asked for their first bots."""
        workload = cls(people.installation, people, random.Random(seed))
        await asyncio.gather(*(workload.ask(workload.a_life()) for _ in range(BOTS)))
        return workload

    def a_life(self) -> Life:
        """One more, asked for over REST or by a BotRequest in turn."""
        number = next(self._numbers)
        return Life(
            number=number,
            at_s=0,
            user=self.dice.randrange(USERS),
            over_rest=number % 2 == 0,
            kind=WELL,
            meeting_s=STAYS_S,
            acts=(),
        )

    async def ask(self, life: Life) -> None:
        """Ask for a bot that stays."""
        self.living.append(life)
        await self.people.ask(life)

    async def act(self) -> None:
        """What people do in the middle of it: tell some, send some away, ask for more; all at once."""
        chosen = self.dice.sample(self.living, TOLD + SENT_AWAY)
        await asyncio.gather(
            *(self._tell(life) for life in chosen[:TOLD]),
            *(self._send_away(life) for life in chosen[TOLD:]),
            *(self.ask(self.a_life()) for _ in range(ASKED_FOR)),
        )

    async def _tell(self, life: Life) -> None:
        # The language follows from this number: another one each time.
        count = self.told[life.native_id] = self.told.get(life.native_id, 0) + 1
        await self.people.act(life, Act(after_s=count / 1000, what=What.RECONFIGURE))

    async def _send_away(self, life: Life) -> None:
        self.living.remove(life)
        self.gone.append(life)
        await self.people.act(life, Act(after_s=0, what=What.LEAVE))

    async def states(self, since: object) -> dict[str, State]:
        """What each row says; `heard` since that moment of the database's clock."""
        async with self.installation.truth.transaction() as connection:
            rows = await connection.execute(_STATES, {"since": since})
            return {row.native_id: State(**row._mapping) for row in rows}

    def amiss(self, states: dict[str, State]) -> list[str]:
        """What is not as it shall be once all is well again."""
        return [
            *self._missing(states, [*self.living, *self.gone]),
            *(f"{state.native_id} is {state.status} ({state.reason}): a healthy bot" for state in self._lost(states)),
            *(f"{one.native_id} was sent away and is {one.status} ({one.reason})" for one in self._stayed(states)),
            *(f"{one.native_id} has not been heard of again" for one in self._of(self.living, states) if not one.heard),
            *(f"{one.native_id} was told something and has not taken it on" for one in self._deaf(states)),
        ]

    def _missing(self, states: dict[str, State], lives: Sequence[Life]) -> list[str]:
        return [
            f"{life.native_id} was asked for and has no Job"
            for life in lives
            if life.native_id not in states or not states[life.native_id].has_job
        ]

    def _of(self, lives: Sequence[Life], states: dict[str, State]) -> list[State]:
        return [states[life.native_id] for life in lives if life.native_id in states]

    def _lost(self, states: dict[str, State]) -> list[State]:
        return [state for state in self._of(self.living, states) if state.status != "active"]

    def _stayed(self, states: dict[str, State]) -> list[State]:
        return [one for one in self._of(self.gone, states) if (one.status, one.reason) != ("completed", "stopped")]

    def _deaf(self, states: dict[str, State]) -> list[State]:
        return [
            state
            for state in self._of(self.living, states)
            if state.config_generation < self.told.get(state.native_id, 0) or state.applied < state.config_generation
        ]
