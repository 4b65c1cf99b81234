"""The conformance kit tells right bots from wrong ones: our own keep every rule, and each fault is found by its rule.

Each fault is played in the case that is to find it, several at a time: most of a case is waiting.
"""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.figures import Figure, Scale, exactly
from usher_bot.conformance import requirements
from usher_bot.conformance.cases import CASES
from usher_bot.conformance.cases.case import Case
from usher_bot.conformance.program import usher_bot
from usher_bot.conformance.requirements import Requirement, Result
from usher_bot.conformance.trial import Candidate

AT_ONCE = 6
BOT = Path(__file__).parent / "_faulty_bot.py"
JOIN_WITHIN_S = 20.0
LEAVE_GRACE_S = 9.0

FAULTS: dict[str, Requirement] = {
    "joins_first": requirements.STARTED,
    "wrong_connection_id": requirements.IDENTITY,
    "no_token": requirements.IDENTITY,
    "never_joins": requirements.JOINED,
    "no_heartbeats": requirements.HEARTBEATS,
    "babbles": requirements.HEARTBEATS,
    "ignores_leave": requirements.LEAVES_ON_COMMAND,
    "fails_when_asked": requirements.CLEAN_END,
    "no_exited": requirements.EXITED,
    "wrong_exit_code": requirements.EXITED,
    "beats_after_exited": requirements.EXITED,
    "leaves_child": requirements.NOTHING_LEFT,
    "prints_token": requirements.TOKEN_KEPT,
    "ignores_sigterm": requirements.LEAVES_ON_SIGTERM,
    "starts_once": requirements.STARTS_LATE,
    "gives_up_when_away": requirements.SURVIVES_OUTAGE,
    "believes_pages": requirements.BELIEVES_USHER_ONLY,
    "keeps_token": requirements.READS_TOKEN_AGAIN,
    "ignores_dismissal": requirements.OBEYS_DISMISSAL,
    "joins_anyway": requirements.LEAVES_BEFORE_JOINING,
}
SIMULATED: dict[str, Any] = {"boot_s": 0.1, "lobby_s": 0.2, "leave_s": 0.2}
# A program for the driver exec, in the words of a shell.
PROGRAM = 'curl -s -X POST "$USHER_LOCAL_CALLBACK_URL/bots/internal/callback/joined" -d "{}"; exec sleep 600'


@dataclass(frozen=True, kw_only=True)
class Play:
    """One bot in one case, and the requirement that it breaks; None for a right bot."""

    name: str
    candidate: Candidate
    case: Case
    breaks: Requirement | None

    async def surprise(self) -> str:
        """What the case found that it should not have, or missed; empty if it was right."""
        verdicts, last_lines = await self.case.verdicts(self.candidate)
        broken = [each for each in verdicts if each.result is Result.BROKEN]
        first = broken[0].requirement if broken else None
        if first is self.breaks:
            return ""
        seen = broken[0].seen if broken else "nothing"
        return f"{self.name} in {self.case.title!r}: {first and first.name}: {seen}\n{last_lines}"


async def run(scale: Scale) -> list[Figure]:
    """Play our own drivers and a right bot in every case, and each fault in the case of its requirement."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def play(one: Play) -> str:
        async with turns:
            found = await one.surprise()
        if found:
            scale.say(found)
        return found

    right, wrong = _right(), _wrong()
    scale.say(f"playing {len(right)} cases of right bots and {len(wrong)} faults")
    surprises = [await asyncio.gather(*map(play, plays)) for plays in (right, wrong)]
    return [
        exactly("cases of right bots played", len(right), 3 * len(CASES)),
        exactly("right bots that were blamed", sum(map(bool, surprises[0])), 0),
        exactly("faults played", len(wrong), len(FAULTS)),
        exactly("faults that were missed or taken for another", sum(map(bool, surprises[1])), 0),
    ]


def _right() -> list[Play]:
    bots = {
        "simulated": _of_usher_bot("simulated", SIMULATED),
        "exec": _of_usher_bot("exec", {"command": ["sh", "-c", PROGRAM]}),
        "its own callbacks": _with_fault("none"),
    }
    return [
        Play(name=name, candidate=candidate, case=case, breaks=None)
        for name, candidate in bots.items()
        for case in CASES
    ]


def _wrong() -> list[Play]:
    return [
        Play(name=fault, candidate=_with_fault(fault), case=_case_of(requirement), breaks=requirement)
        for fault, requirement in FAULTS.items()
    ]


def _case_of(requirement: Requirement) -> Case:
    return next(case for case in CASES if requirement in case.requirements)


def _of_usher_bot(driver: str, options: dict[str, Any]) -> Candidate:
    return _candidate(usher_bot(), driver=driver, options=options)


def _with_fault(fault: str) -> Candidate:
    return _candidate([sys.executable, str(BOT), fault], driver="exec", options={})


def _candidate(argv: list[str], *, driver: str, options: dict[str, Any]) -> Candidate:
    return Candidate(
        argv=argv,
        driver=driver,
        driver_options=options,
        join_within_s=JOIN_WITHIN_S,
        leave_grace_s=LEAVE_GRACE_S,
    )
