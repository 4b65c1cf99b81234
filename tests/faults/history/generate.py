"""Random histories in which every promise is kept: for the tests of the rules, and to measure the checker.

Lives are made on a clock of their own. Each operation takes effect at one moment between its begin and its end, replies
are lost, repeated and late, and webhooks come twice: all that a real run may show and no rule may find.
"""

import heapq
import itertools
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from tests.faults.history.facts import US, Room
from tests.faults.history.format import VERSION, Outcome, Record, What

WALL = 1_767_225_600.0
EVENTS = ("meeting.status_change", "meeting.completed")
PLATFORM = "jitsi"
LOST_SHARE = 0.05
FAILED_SHARE = 0.15
REPEATED_SHARE = 0.08
# How long before and after its moment an operation may be under way.
REACH_S = 0.04
FIRST_AT = 100.0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How many users with which cap and how many rooms each, and how much is done in one life."""

    users: int = 20
    cap: int = 3
    rooms: int = 4
    heartbeats: int = 12
    gets: int = 4
    asks_per_s: float = 8.0


@dataclass(kw_only=True)
class Life:
    """One admitted bot, and the moments at which its row changed."""

    meeting: int
    room: Room
    source: str
    moments: list[tuple[float, str, str, str, str | None]] = field(default_factory=list)
    """When, to which status, by which source, for which reason and by which event."""

    @property
    def ended(self) -> float:
        """When its slot was free again."""
        return self.moments[-1][0]

    @property
    def connection(self) -> str:
        """Its connection id."""
        return f"c{self.meeting}"

    @property
    def pod(self) -> str:
        """Its pod's uid."""
        return f"pod-{self.meeting}"

    def status(self, at: float) -> tuple[str, str]:
        """What the row says at that moment, and why."""
        _, to, _, reason, _ = next(each for each in reversed(self.moments) if each[0] <= at)
        return to, reason


class History:
    """The lines of one random history; `lines` makes them one after another, in the order of their clock."""

    def __init__(self, seed: int, shape: Shape) -> None:
        self._dice = random.Random(f"history {seed}")
        self._shape = shape
        self._seed = seed
        self._heap: list[tuple[float, int, Record]] = []
        self._order = itertools.count()
        self._numbers = itertools.count(1)
        self._events = itertools.count(1)
        self._meetings = itertools.count(1)
        self._live: dict[int, list[Life]] = defaultdict(list)
        self._trail: list[Record] = []
        self.operations = 0

    def lines(self, operations: int) -> Iterator[Record]:
        """A history of about that many operations, or some more."""
        now = FIRST_AT
        yield _at(now, {"history": VERSION, "run": "generated", "seed": self._seed})
        for user in range(1, self._shape.users + 1):
            self._see(now, "setup", What.USER, user=user, cap=self._shape.cap)
            self._op(
                now, now + REACH_S, f"person {user}", What.SUBSCRIBE, {"user": user, "events": EVENTS}, {"code": 200}
            )
        now += 1
        while self.operations < operations:
            now += self._dice.expovariate(self._shape.asks_per_s)
            yield from self._due(now - 1)
            self._ask(now)
        yield from self._due(float("inf"))
        yield from self._end()

    def _due(self, until: float) -> Iterator[Record]:
        while self._heap and self._heap[0][0] < until:
            self._last, _, record = heapq.heappop(self._heap)
            yield record

    def _end(self) -> Iterator[Record]:
        number = next(self._numbers)
        yield _at(self._last, {"op": number, "actor": "auditor", "invoke": What.READ_TRAIL, "args": {}})
        for got in self._trail:
            self.operations += 1
            yield _at(self._last, {"actor": "auditor", "see": What.AUDIT, "got": got})
        yield _at(self._last, {"op": number, "return": Outcome.OK, "got": {"rows": len(self._trail)}})
        yield _at(self._last, {"end": True})

    # One request and what comes of it.

    def _ask(self, at: float) -> None:
        user = self._dice.randrange(self._shape.users) + 1
        room = Room(user, PLATFORM, f"room-{user}-{self._dice.randrange(self._shape.rooms)}")
        held = self._live[user] = [life for life in self._live[user] if life.ended > at]
        if any(life.room == room for life in held):
            self._refused(at, room, 409)
        elif len(held) >= self._shape.cap:
            self._refused(at, room, 429)
        else:
            held.append(self._live_out(at, room))

    def _refused(self, at: float, room: Room, code: int) -> None:
        args = room._asdict() | {"request": f"refused-{next(self._events)}"}
        self._op(*self._around(at), f"person {room.user}", What.ASK, args, {"code": code}, Outcome.REFUSED)

    def _live_out(self, at: float, room: Room) -> Life:
        source = self._dice.choice(("api", "operator"))
        life = Life(meeting=next(self._meetings), room=room, source=source)
        life.moments.append((at, "reserved", source, "requested", None))
        promised = self._requested(at, life)
        now = self._pod_life(at, life)
        for _ in range(self._shape.gets):
            self._get(self._dice.uniform(promised, now + 2), life)
        self._told(life)
        self._recorded(life)
        return life

    def _requested(self, at: float, life: Life) -> float:
        """Ask over REST, perhaps twice, or apply an object; from when on the meeting may be looked for."""
        args = life.room._asdict() | {"request": f"request-{life.meeting}"}
        actor = f"person {life.room.user}"
        if life.source == "operator":
            self._op(at - REACH_S, at - REACH_S / 2, actor, What.APPLY, args, {"code": 201})
            return at + REACH_S
        if self._dice.random() < LOST_SHARE:
            self._lost(at - REACH_S, actor, What.ASK, args)
            return at + REACH_S
        begin, end = self._around(at)
        got = {"code": 201, "meeting": life.meeting, "status": "reserved", "replayed": False}
        self._op(begin, end, actor, What.ASK, args, got)
        return end

    def _pod_life(self, at: float, life: Life) -> float:
        """The bot's own reports, until it is gone; when that was."""
        self._pod(at + 0.1, life, live=True)
        now = self._report(at + self._dice.uniform(0.2, 1), life, "started", "starting", "started")
        now = self._report(now + self._dice.uniform(0.1, 1), life, "joined", "active", "joined")
        for _ in range(self._dice.randint(0, 2 * self._shape.heartbeats)):
            now = self._heartbeat(now + self._dice.uniform(0.1, 0.4), life)
        if self._dice.random() < FAILED_SHARE:
            life.moments.append((now + 1, "failed", "reconciler", "heartbeat_lost", None))
        else:
            now = self._report(now + 0.1, life, "status", "stopping", "leaving")
            self._report(now + self._dice.uniform(0.1, 0.5), life, "exited", "completed", "left")
        self._get(life.ended + 0.01 + REACH_S, life)
        self._pod(life.ended + 0.2, life, live=False)
        return life.ended

    def _report(self, at: float, life: Life, kind: str, to: str, reason: str) -> float:
        """A change, of which a reply may be lost before it was made or after it; when the bot goes on."""
        event = f"e{next(self._events)}"
        args = {"connection": life.connection, "pod": life.pod, "kind": kind, "event": event, "status": to}
        if self._dice.random() < LOST_SHARE:
            self._lost(at, life.pod, What.CALLBACK, args)
            at += 3 * REACH_S
        at += REACH_S
        life.moments.append((at, to, "bot", reason, event))
        if self._dice.random() < LOST_SHARE:
            self._lost(at - REACH_S / 2, life.pod, What.CALLBACK, args)
            return self._answered(at + 3 * REACH_S, life, args, applied=False)
        return self._answered(at, life, args, applied=True)

    def _answered(self, at: float, life: Life, args: Record, *, applied: bool) -> float:
        """A callback that took effect at that moment; when its reply came."""
        begin, end = self._around(at)
        status, _ = life.status(at)
        got = {"code": 200, "meeting": life.meeting, "status": status, "applied": applied}
        self._op(begin, end, life.pod, What.CALLBACK, args, got)
        return end

    def _heartbeat(self, at: float, life: Life) -> float:
        args = {"connection": life.connection, "pod": life.pod, "kind": "heartbeat", "event": f"b{next(self._events)}"}
        return self._answered(at + REACH_S, life, args | {"status": "active"}, applied=True)

    def _get(self, at: float, life: Life) -> None:
        at = max(at, life.moments[0][0] + 2 * REACH_S)
        status, reason = life.status(at)
        args = {"user": life.room.user, "meeting": life.meeting}
        got = {"code": 200, "meeting": life.meeting, "status": status, "reason": reason}
        self._op(*self._around(at), f"reader {life.room.user}", What.GET, args, got)

    def _pod(self, at: float, life: Life, *, live: bool) -> None:
        got = {"uid": life.pod, "meeting": life.meeting, "live": live, "version": int(at * US)}
        self._see(at + self._dice.uniform(0.01, 0.5), "pod watch", What.POD, **got)

    def _told(self, life: Life) -> None:
        """What watches and receivers are told, late and some of it twice."""
        origin = None
        for seq, (at, to, source, reason, _) in enumerate(life.moments, start=1):
            phase = {"meeting": life.meeting, "phase": to}
            self._see(at + self._dice.uniform(0.01, 1), "request watch", What.BOTREQUEST, **phase)
            for kind in EVENTS if to == "completed" else EVENTS[:1]:
                name = f"{life.meeting}/{seq}/{kind}"
                fields = {"event": f"evt_{name}", "type": kind, "sha256": sha256(name.encode()).hexdigest()[:16]}
                told = {"seq": seq, "from": origin, "to": to, "source": source, "reason": reason, "answered": 200}
                for _ in range(2 if self._dice.random() < REPEATED_SHARE else 1):
                    late = at + self._dice.uniform(0.01, 3)
                    self._see(late, f"receiver {life.room.user}", What.WEBHOOK, **_named(life), **fields, **told)
            origin = to

    def _recorded(self, life: Life) -> None:
        origin = None
        for seq, (at, to, source, reason, event) in enumerate(life.moments, start=1):
            step = {"seq": seq, "from": origin, "to": to, "source": source, "reason": reason, "event": event}
            self._trail.append(_named(life) | step | {"at": int((WALL + at) * US)})
            origin = to

    # Lines.

    def _around(self, at: float) -> tuple[float, float]:
        return at - self._dice.uniform(0, REACH_S), at + self._dice.uniform(0.0001, REACH_S)

    def _op(
        self,
        begin: float,
        end: float,
        actor: str,
        what: str,
        args: Record,
        got: Record,
        outcome: str = Outcome.OK,
    ) -> None:
        number = self._lost(begin, actor, what, args)
        self._push(end, {"op": number, "return": outcome, "got": got})

    def _lost(self, begin: float, actor: str, what: str, args: Record) -> int:
        """An operation without a reply; its number."""
        number = next(self._numbers)
        self.operations += 1
        self._push(begin, {"op": number, "actor": actor, "invoke": what, "args": args})
        return number

    def _see(self, at: float, actor: str, what: str, **got: Any) -> None:
        self.operations += 1
        self._push(at, {"actor": actor, "see": what, "got": got})

    def _push(self, at: float, fields: Record) -> None:
        heapq.heappush(self._heap, (at, next(self._order), _at(at, fields)))


def _named(life: Life) -> Record:
    return {"meeting": life.meeting, "connection": life.connection} | life.room._asdict()


def _at(at: float, fields: Record) -> Record:
    return {"at": at, "wall": WALL + at} | fields


def generate(seed: int, *, operations: int, shape: Shape | None = None) -> Iterator[Record]:
    """The lines of the history of that seed."""
    return History(seed, shape or Shape()).lines(operations)
