"""What became of a soak: how lives ended, and what must be zero."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.figures import Figure, at_least, at_most, counted, exactly
from tests.faults.soaking import watching
from tests.faults.soaking.kills import Killer
from tests.faults.soaking.people import People
from tests.faults.soaking.plan import Plan
from tests.faults.soaking.watching import Watcher

# Some are refused, and with fewer the run has seen little.
ADMITTED_OF_AT_LEAST = 4
# The checkers look every second, and wait with everybody else while nothing answers.
LOOKS_EVERY_S = 4.0
ZEROS = {"I1": "over cap at any time", "I2": "duplicate Jobs or pods at the same time", "I3": "stuck", "I4": "orphans"}


@dataclass(frozen=True, kw_only=True)
class Played:
    """A soak that is over; `unrest` is what was still wrong after `rest_s`."""

    plan: Plan
    people: People
    killers: list[Killer]
    watcher: Watcher
    rest_s: float
    unrest: list[str]


async def figures(played: Played, *, rest_s: float, say: Callable[[str], None]) -> list[Figure]:
    """Everything that was measured; each thing that is wrong is said in a sentence."""
    found = await watching.ends(played.watcher.installation)
    wrong = [
        f"{native_id} ended as {status}, {reason}"
        for native_id, (status, reason) in found.items()
        if not played.plan.life_of(native_id).may_end(status, reason)
    ]
    findings = [*sorted(played.watcher.findings), *played.unrest]
    for sentence in (*findings, *wrong, *played.people.unanswered):
        say(sentence)
    say(", ".join(f"{what}: {count}" for what, count in sorted(played.people.did.items())))
    return [
        *_amounts(played, found),
        at_most("seconds to rest", round(played.rest_s, 1), rest_s, unit="s"),
        *_zeros(findings),
        exactly("promised over REST and not there", len(played.people.taken - set(found)), 0),
        exactly("wrong reasons", len(wrong), 0),
        exactly("calls without an answer", len(played.people.unanswered), 0),
        exactly("processes that ended by themselves", sum(killer.fell for killer in played.killers), 0),
    ]


def _amounts(played: Played, found: dict[str, tuple[str, str]]) -> list[Figure]:
    watcher = played.watcher
    return [
        at_least("requests", len(played.plan.lives), 1),
        at_least("admitted", len(found), len(played.plan.lives) // ADMITTED_OF_AT_LEAST),
        at_least("most bots alive at once", watcher.most_live, 1),
        *(at_least(f"kills of {killer.process.command}", killer.kills, 1) for killer in played.killers),
        *(counted(f"lives ended {end}", count) for end, count in sorted(watching.counted(found).items())),
        counted("Jobs made again after the first was gone", played.watcher.remade()),
        # What was not looked at was not found either.
        at_least("looks of the checkers", watcher.looks, int(played.plan.seconds / LOOKS_EVERY_S)),
        at_least("lives whose Job the watch saw", len(watcher.jobs_of), len(found) // 2),
        *(at_least(f"events of {what}", watcher.events[what], len(found) // 2) for what in ("Jobs", "pods")),
    ]


def _zeros(findings: list[str]) -> list[Figure]:
    kinds = Counter(finding.partition(":")[0] for finding in findings)
    known = [exactly(name, kinds.pop(kind, 0), 0) for kind, name in ZEROS.items()]
    return [*known, exactly("other findings", kinds.total(), 0)]
