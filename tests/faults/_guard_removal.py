"""A pytest plugin that removes one production guard: `USHER_REMOVED_GUARD=NAME pytest -p tests.faults._guard_removal`.

Nothing in the tree changes: the guard is patched in the process that runs the tests, for as long as it lives.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from usher_models import states
from usher_models.db import heartbeats, leader_lock, reservations, stale_rules, transitions
from usher_models.db.speaker import Speaker
from usher_models.states import TERMINAL
from usher_operator.lifecycle import close
from usher_operator.reconcile.silence import brownout, rate_limit, rules


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A guard: how it is taken out, and the tests that must catch it."""

    name: str
    does: str
    test: str
    only: str
    take_out: Callable[[], None]


def _replace(module: Any, name: str, old: str, new: str) -> Callable[[], None]:
    """A statement with a part of it replaced, which must be there."""

    def take_out() -> None:
        found = getattr(module, name)
        statement = found if isinstance(found, str) else found.text
        assert old in statement, f"{module.__name__}.{name} has no {old!r}"
        changed = statement.replace(old, new)
        setattr(module, name, changed if isinstance(found, str) else text(changed))

    return take_out


def _set(owner: Any, name: str, value: Any) -> Callable[[], None]:
    return lambda: setattr(owner, name, value)


def _terminal_may_move() -> None:
    for key, origins in states._ORIGINS.items():
        states._ORIGINS[key] = origins | TERMINAL


def _close_without_guard() -> None:
    guarded = close.Closer.close

    async def unguarded(self: Any, closings: Any, **how: Any) -> Any:
        return await guarded(self, closings, **how | {"guard": "true", "guard_values": None})

    close.Closer.close = unguarded  # type: ignore[method-assign]


def _no_credit(rule: Any) -> str:
    return f"{rule.since} < now() - make_interval(secs => {rule.limit} + 0 * CAST(:max_credit AS float8))"


async def _always(*_: Any) -> bool:
    return True


async def _nothing(*_: Any) -> None:
    return None


async def _no_bot_is_late(*_: Any) -> stale_rules.Reports:
    return stale_rules.Reports(late=0, reporting=0)


_DB, _OP = "tests/integration/db/", "tests/integration/operator/"

GUARDS = [
    Guard(
        name="user_lock",
        does="the user's row is locked before slots are counted",
        test=_DB + "test_reservation_races.py",
        only="test_nobody_ever_holds or test_when_all_is_quiet",
        take_out=_replace(reservations, "LOCK_USER", "FOR NO KEY UPDATE", ""),
    ),
    Guard(
        name="where_recheck",
        does="the statement that fails stale meetings checks the row again",
        test=_OP + "reconcile/test_silence.py",
        only="",
        take_out=_close_without_guard,
    ),
    Guard(
        name="terminal",
        does="nothing leaves a terminal status",
        test=_DB + "test_transitions.py",
        only="terminal_is_final",
        take_out=_terminal_may_move,
    ),
    Guard(
        name="pod_fence",
        does="a report of another pod moves nothing",
        test=_DB + "test_transitions.py",
        only="another_pod",
        take_out=_replace(
            transitions,
            "_MOVE_SPEAKER",
            "b.pod_uid IS NULL OR b.pod_uid = :pod_uid",
            "true OR b.pod_uid = :pod_uid",
        ),
    ),
    Guard(
        name="beat_fence",
        does="a heartbeat of another pod is no sign of life",
        test=_DB + "test_heartbeats.py",
        only="another_pod or binds_the_pod",
        take_out=_replace(heartbeats, "_RECORD", "OR b.pod_uid = :pod_uid", "OR true OR b.pod_uid = :pod_uid"),
    ),
    Guard(
        name="token_of_the_job",
        does="the token's pod must be one of the meeting's Job",
        test=_OP + "callbacks/test_routes.py",
        only="",
        take_out=_set(Speaker, "require_job_of", lambda *_: None),
    ),
    Guard(
        name="report_of_the_job",
        does="a report of another Job's pod moves nothing",
        test=_OP + "callbacks/test_routes.py",
        only="another_meetings_pod",
        take_out=_replace(
            transitions,
            "_MOVE_SPEAKER",
            "b.request_namespace = :namespace AND b.job_name = :job_name",
            "(true OR b.request_namespace = :namespace OR b.job_name = :job_name)",
        ),
    ),
    Guard(
        name="heartbeat_row_lock",
        does="a sweep locks the heartbeat's row, and skips one that a heartbeat holds",
        test=_DB + "test_heartbeats.py",
        only="no_bot_has_its_beat_accepted or sweep_does_not_wait",
        take_out=_replace(transitions, "_PICK_MANY", "OF m, b, h SKIP LOCKED", "OF m, b SKIP LOCKED"),
    ),
    Guard(
        name="event_id",
        does="an event that was recorded is not recorded again",
        test=_DB + "test_transitions.py",
        only="late_started",
        take_out=_replace(transitions, "_RECORD_LATE", "started', :event_id", "started', :event_id || random()"),
    ),
    Guard(
        name="outage_credit",
        does="time in which no replica could take a heartbeat is not counted",
        test=_DB + "test_stale_rules.py",
        only="credit",
        take_out=_set(stale_rules.Rule, "condition", property(_no_credit)),
    ),
    Guard(
        name="brownout",
        does="when most of the fleet is silent at once, no bot is failed for silence",
        test=_OP + "reconcile/test_silence.py",
        only="most_of_the_fleet or hold",
        take_out=_set(brownout.Brownout, "_is_active", lambda *_, **__: False),
    ),
    Guard(
        name="brownout_begins_in_time",
        does="a silent majority is seen before its first bot reaches its limit",
        test=_OP + "reconcile/test_silence.py",
        only="one_after_another",
        take_out=_set(rules, "count_reports", _no_bot_is_late),
    ),
    Guard(
        name="brownout_lasts",
        does="a brownout lasts until every bot had the time for one more heartbeat",
        test=_OP + "reconcile/test_silence.py",
        only="heard_last",
        take_out=_set(brownout.Brownout, "_all_had_time_to_report", lambda _: True),
    ),
    Guard(
        name="new_leader_waits",
        does="a new leader fails no bot for silence before one heartbeat interval has passed",
        test=_OP + "reconcile/test_silence.py",
        only="new_leader",
        take_out=_set(brownout.Brownout, "_settled", lambda _: True),
    ),
    Guard(
        name="end_rate_limit",
        does="no more meetings are ended by stale rules than the rate allows",
        test=_OP + "reconcile/test_silence.py",
        only="rate or long_pause",
        take_out=_set(rate_limit.EndRateLimit, "allowed", lambda _: 1_000_000),
    ),
    Guard(
        name="sweep_lock",
        does="one operator sweeps at a time",
        test=_OP + "reconcile/test_reconciler.py",
        only="only_one_of_two",
        take_out=_set(leader_lock.LeaderLock, "acquire", _always),
    ),
    Guard(
        name="lease",
        does="a process whose lease is over starts no bot and refuses none",
        test=_OP + "reconcile/test_standby.py",
        only="leader_that_was_stopped",
        take_out=_set(leader_lock.LeaderLock, "leads", property(lambda _: True)),
    ),
    Guard(
        name="leader_fence",
        does="a process that lost its leadership writes nothing",
        test=_OP + "reconcile/test_fencing.py",
        only="confirmed_only or was_cut",
        take_out=_set(leader_lock.LeaderLock, "confirm", _nothing),
    ),
]


def pytest_configure() -> None:
    """Take out the guard that the environment names."""
    wanted = os.environ.get("USHER_REMOVED_GUARD", "")
    known = {guard.name: guard.take_out for guard in GUARDS} | {"": lambda: None}
    known[wanted]()
