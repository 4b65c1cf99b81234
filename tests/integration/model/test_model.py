"""Every interleaving, up to a bound, keeps every promise; and each guard that is taken away breaks one.

`python -m tests.faults --only model` goes further: with each kind of fault, and with two programs at once.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

import pytest

from tests.model import production, store
from tests.model.explorer import Finding, explore
from tests.model.steps import Bounds
from tests.model.system import Budget, Row, System
from usher_models import states
from usher_models.db import reservations, stale_rules
from usher_models.db.bots import Bot
from usher_models.db.reservations import Request, Reservation
from usher_models.errors import CapReached
from usher_models.states import Judgement, Source, Status
from usher_operator.reconcile.repairs import orphan_job

pytestmark = pytest.mark.timeout(180)

# One callback under way, one program of the operator and one of serve at once; silence and evidence.
QUICK = Bounds(mail=1, sweeps=("finished_job", "heartbeat_lost", "missing_job"))
MOST_STATES = 100_000


def test_every_interleaving_within_the_bound_keeps_every_promise(
    record_property: Callable[[str, object], None],
) -> None:
    found = explore(QUICK, most_states=MOST_STATES)
    assert not found.broken, str(found)
    assert found.states >= MOST_STATES or found.whole
    record_property("states explored", f"{found.states}{'' if found.whole else ' and there are more'}")
    record_property("steps", found.steps)


Mutation = Callable[[], AbstractContextManager[object]]


def _may_also(target: Status, source: Source, *origins: Status) -> Mutation:
    """The table of moves with more in it than there should be."""
    more = states.legal_origins(target, source) | set(origins)
    return lambda: patch.dict(states._ORIGINS, {(target, source): more})


@contextmanager
def _no_fence() -> Iterator[None]:
    judge = states.judge

    def unfenced(target: Status, status: Status, *, fenced: bool, known: bool, ended_by_bot: bool) -> Judgement:
        assert fenced in (True, False)
        return judge(target, status, fenced=False, known=known, ended_by_bot=ended_by_bot)

    with patch.object(states, "judge", unfenced):
        yield


def _inserted(system: System, number: int) -> tuple[System, Row]:
    row = system.meeting(number).row or Row()
    return system.with_row(number, row), row


@contextmanager
def _no_lock() -> Iterator[None]:
    """A count and an insert that somebody else may come between."""

    async def reserve(_: object, request: Request) -> Reservation:
        number = production.number_of(request.connection_id)
        if not await production.Ask("reserve_count", number):
            raise CapReached(limit=1, used=1)
        row = await production.Ask("reserve_insert", number)
        return Reservation(bot=production.as_bot(number, row), created=True)

    acts = {
        "reserve_count": lambda system, number: [
            (system, not any(each.row and each.row.live for each in system.meetings) or system.meeting(number).row)
        ],
        "reserve_insert": lambda system, number: [_inserted(system, number)],
    }
    functions = production._ANSWERED[reservations]
    with patch.dict(store._ACTS, acts), patch.dict(functions, {"reserve": reserve}):
        yield


@contextmanager
def _everybody_joined() -> Iterator[None]:
    """Evidence that takes exit code 0 for a success of whoever it was, and a table that lets it."""
    as_bot = production.as_bot

    def joined(number: int, row: Row) -> Bot:
        return as_bot(number, row._replace(joined=True))

    with (
        patch.object(production, "as_bot", joined),
        _may_also(Status.COMPLETED, Source.EVIDENCE, Status.RESERVED, Status.STARTING)(),
    ):
        yield


FAULTY = Budget(deaths=1, freezes=1)
MUTATIONS: dict[str, tuple[str, Bounds, Mutation]] = {
    "a late callback may bring a terminal meeting back": (
        "I7",
        Bounds(mail=1, faults=FAULTY, sweeps=("finished_job",)),
        _may_also(Status.ACTIVE, Source.BOT, *states.TERMINAL),
    ),
    "the sweep may fail what is completed": (
        "I7",
        Bounds(mail=1, faults=FAULTY, sweeps=("finished_job",)),
        _may_also(Status.FAILED, Source.EVIDENCE, *states.TERMINAL),
    ),
    "evidence completes a bot that never joined": (
        "I5",
        Bounds(mail=1, sweeps=("finished_job",)),
        _everybody_joined,
    ),
    "the statement that ends the silent does not look again": (
        "I6",
        Bounds(mail=1, sweeps=("heartbeat_lost",)),
        lambda: patch.object(stale_rules, "guard", lambda *_, **__: ("true", {})),
    ),
    "a second pod is not fenced off": (
        "I2",
        Bounds(mail=1, pods=2, sweeps=(), faults=Budget(partitions=1)),
        _no_fence,
    ),
    "the user is not locked while slots are counted": (
        "I1",
        Bounds(mail=1, meetings=2, operators=2, sweeps=()),
        _no_lock,
    ),
    "every Job counts as an orphan": (
        "I6",
        Bounds(mail=1, sweeps=("orphan_job",)),
        lambda: patch.multiple(orphan_job, connection_id_of=lambda _job: None, _is_orphan=lambda *_: True),
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_guard_that_is_taken_away_breaks_its_promise(mutation: str) -> None:
    promise, bounds, apply = MUTATIONS[mutation]
    with apply():
        found: Finding = explore(bounds, most_states=MOST_STATES)
    assert found.broken.startswith(promise), str(found)
    assert found.history


@pytest.mark.parametrize("mode", ["never_started", "never_joined", "heartbeat_lost", "never_exited", "missed_request"])
def test_without_this_failure_mode_something_gets_stuck(mode: str) -> None:
    left = tuple(name for name in production.SWEEPS if name != mode)
    with patch.object(production, "SWEEPS", left):
        found = explore(Bounds(mail=1, sweeps=()), most_states=MOST_STATES)
    assert found.broken.startswith("I3/I4"), str(found)
