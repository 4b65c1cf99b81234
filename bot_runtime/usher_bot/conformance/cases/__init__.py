"""The cases, one situation a file: what the control plane does, and what the bot must make of it."""

from usher_bot.conformance.cases import (
    dismissed,
    early_leave,
    foreign,
    life,
    outage,
    rotation,
    started_late,
    terminated,
)
from usher_bot.conformance.cases.case import Case

CASES: tuple[Case, ...] = (
    life.CASE,
    terminated.CASE,
    early_leave.CASE,
    dismissed.CASE,
    started_late.CASE,
    outage.CASE,
    foreign.CASE,
    rotation.CASE,
)
