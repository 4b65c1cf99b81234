"""I1: at no instant does a user hold more slots than the cap, by what observers vouch for and by the audit trail."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.faults.history.facts import US, Facts, Held
from tests.faults.history.rules.overlaps import excesses
from tests.faults.history.rules.rule import Rule


class Cap(Rule):
    """Two proofs: spans between two pieces of evidence, on the recorder's clock, and those of the trail on its own."""

    name = "cap"
    of = "spans in which a slot was held"

    def findings(self, facts: Facts) -> Iterator[str]:
        """A sentence for each slot that was one too many."""
        yield from self._over(facts, facts.held(), second=1.0, by="observers saw")
        yield from self._over(facts, facts.recorded(), second=US, by="the audit trail says")

    def _over(self, facts: Facts, spans: Iterable[Held], *, second: float, by: str) -> Iterator[str]:
        of_user: dict[int, list[Held]] = defaultdict(list)
        for span in spans:
            if span.meeting in facts.rooms:
                self.looked_at += 1
                of_user[facts.rooms[span.meeting].user].append(span)
        for user, held in of_user.items():
            if user in facts.caps:
                for excess in excesses(held, limit=facts.caps[user]):
                    lasted = f"{1000 * (excess.end - excess.begin) / second:.3f} ms"
                    yield (
                        f"User {user} held {len(excess.meetings)} slots of {facts.caps[user]} for {lasted}, {by}:"
                        f" meetings {', '.join(map(str, excess.meetings))}."
                    )
