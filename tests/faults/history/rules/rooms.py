"""One live bot of a user in a room: a room is a meeting on its platform, and a second bot there is refused."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.faults.history.facts import US, Facts, Held, Room
from tests.faults.history.rules.overlaps import excesses
from tests.faults.history.rules.rule import Rule


class Rooms(Rule):
    """The spans of `cap`, by room instead of by user, and at most one at a time."""

    name = "one bot in a room"
    of = "spans in which a bot was in its room"

    def findings(self, facts: Facts) -> Iterator[str]:
        """A sentence for each second bot."""
        yield from self._doubled(facts, facts.held(), second=1.0, by="observers saw")
        yield from self._doubled(facts, facts.recorded(), second=US, by="the audit trail says")

    def _doubled(self, facts: Facts, spans: Iterable[Held], *, second: float, by: str) -> Iterator[str]:
        of_room: dict[Room, list[Held]] = defaultdict(list)
        for span in spans:
            if span.meeting in facts.rooms:
                self.looked_at += 1
                of_room[facts.rooms[span.meeting]].append(span)
        for room, held in of_room.items():
            # What was adopted was in the room already: nobody let it in.
            for excess in excesses(held, limit=1) if len(held) > 1 else ():
                lasted = f"{1000 * (excess.end - excess.begin) / second:.3f} ms"
                both = " and ".join(map(str, excess.meetings))
                yield f"User {room.user} had two bots in {room.native_id} for {lasted}, {by}: meetings {both}."
