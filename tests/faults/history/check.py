"""A history's verdict: every operation goes through every rule that wants it, once."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.faults.history.evidence import evidence_of
from tests.faults.history.facts import Facts
from tests.faults.history.format import Operation, Outcome
from tests.faults.history.rules import RULES, Rule
from tests.faults.history.rules.rule import Takes


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What one rule found, and how much it looked at."""

    name: str
    of: str
    looked_at: int
    findings: list[str]


@dataclass(kw_only=True)
class Verdict:
    """What all rules found in how many operations."""

    operations: int = 0
    unknown: int = 0
    judged: list[Judged] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        """Every finding, with the rule's name before it."""
        return [f"{rule.name}: {finding}" for rule in self.judged for finding in rule.findings]

    @property
    def idle(self) -> list[str]:
        """Rules that looked at nothing."""
        return [rule.name for rule in self.judged if not rule.looked_at]


def check(operations: Iterable[Operation]) -> Verdict:
    """Judge a whole history. Raises NoHistory if it is none."""
    facts, rules, verdict = Facts(), [rule() for rule in RULES], Verdict()
    takers = _takers(rules)
    notes = [facts.note, *(note for rule in rules if (note := rule.note()) is not None)]
    for operation in operations:
        verdict.operations += 1
        verdict.unknown += operation.outcome == Outcome.UNKNOWN
        facts.take(operation)
        for take in takers[operation.what]:
            take(operation)
        if (evidence := evidence_of(operation)) is not None:
            for note in notes:
                note(evidence)
    facts.settle()
    verdict.judged = [_judged(rule, facts) for rule in rules]
    return verdict


def _takers(rules: list[Rule]) -> dict[str, list[Takes]]:
    takers: dict[str, list[Takes]] = defaultdict(list)
    for rule in rules:
        for what, take in rule.takes().items():
            takers[what].append(take)
    return takers


def _judged(rule: Rule, facts: Facts) -> Judged:
    findings = list(rule.findings(facts))
    return Judged(name=rule.name, of=rule.of, looked_at=rule.looked_at, findings=findings)
