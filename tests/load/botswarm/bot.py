"""One bot of the swarm: what it is, what will happen to it, and what it says when. It holds no task and no socket.

    started ─► lobby ─► joined ─► heartbeats … ─► stopping ─► exited

The order, the horizons and the patience with refusals are `usher_bot`'s (outbox, control_plane, persistence, errors).
"""

import itertools
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from usher_models.states import Stage, Status

PATIENT_S = 600.0
LONGEST_WAIT_S = 30.0
LONGEST_BEAT_WAIT_S = 5.0
# A refusal ends a bot when it lasts this long (usher_bot.errors).
PATIENCE_S = {401: 120.0, 403: 120.0, 404: 60.0, 409: 0.0, 410: 0.0}

_events = itertools.count(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who a bot is: its row's connection id and Job, and the pod it claims to run in."""

    connection_id: str
    namespace: str
    job_name: str
    meeting_id: int = 0
    pod_uid: str = ""
    pod_name: str = ""

    def __post_init__(self) -> None:
        if not self.pod_name:
            object.__setattr__(self, "pod_name", f"{self.job_name}-swarm")
        if not self.pod_uid:
            object.__setattr__(self, "pod_uid", f"pod-{self.connection_id}"[:36])


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """What happens to a bot when nobody interferes; durations in seconds.

    `present` begins the bot in its meeting: nothing is said of its arrival, and its beats begin at a random phase of
    the first interval.
    """

    boot_s: float = 0.0
    lobby_s: float = 1.0
    meeting_s: float = 3600.0
    leave_s: float = 1.0
    exit_code: int = 0
    present: bool = False


@dataclass(kw_only=True, slots=True)
class Call:
    """One callback and its tries."""

    kind: str
    body: bytes
    wanted_at: float
    horizon_s: float
    longest_wait_s: float
    answered: Callable[[dict[str, Any]], None]
    given_up: Callable[[], None]
    tries: int = 0


class Fleet(Protocol):
    """What a bot needs of its swarm."""

    beat_s: float
    longest_wait_s: float

    def now(self) -> float:
        """Monotonic seconds."""

    def at(self, due: float, act: Callable[[], None]) -> None:
        """Do something later."""

    def say(self, bot: "Bot", call: Call) -> None:
        """Try a callback until it is answered or its horizon is reached."""

    def random(self) -> float:
        """Between 0 and 1."""

    def obeyed(self, bot: "Bot", command: dict[str, Any], way: str) -> None:
        """A command arrived that the bot had not known."""

    def ended(self, bot: "Bot", how: str) -> None:
        """The bot is no more."""


@dataclass(slots=True, eq=False)
class Bot:
    """One life. `frozen` is a stopped process: it neither speaks nor listens, and its time is lost."""

    identity: Identity
    script: Script
    fleet: Fleet
    status: Status = Status.STARTING
    stage: Stage = Stage.BOOTING
    alive: bool = True
    frozen: bool = False
    applied_generation: int = 0
    seq: int = 0
    acknowledged_seq: int = 0
    token: str = ""
    token_until: float = 0.0
    refused_since: dict[int, float] = field(default_factory=dict)
    _beat_s: float = 0.0
    _up: bool = False
    _leaving: bool = False
    _beating: bool = False
    _speaking: bool = False
    _outbox: deque[tuple[str, dict[str, Any]]] = field(default_factory=deque)
    _known: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """Come to life."""
        self._beat_s = self.fleet.beat_s
        now = self.fleet.now()
        if self.script.present:
            self._up = True
            self.status, self.stage = Status.ACTIVE, Stage.IN_MEETING
            self._beat_at(now + self.fleet.random() * self._beat_s)
            self.fleet.at(now + self.script.meeting_s, self.leave)
        else:
            self.fleet.at(now + self.script.boot_s, self._start)

    def leave(self) -> None:
        """Leave the meeting, for whatever reason; later ones are echoes."""
        if self._leaving or not self.alive or self.frozen:
            return
        self._leaving = True
        self.status, self.stage = Status.STOPPING, Stage.LEAVING
        self._tell("status", status="stopping", stage="leaving")
        self.fleet.at(self.fleet.now() + self.script.leave_s, self._exit)

    def hear(self, command: dict[str, Any], way: str) -> None:
        """Obey a command, once. Who is not up yet listens to nobody."""
        if not self.alive or self.frozen or not self._up or command.get("id") in self._known:
            return
        self._known.add(str(command.get("id")))
        self.fleet.obeyed(self, command, way)
        if command.get("action") == "leave":
            self.leave()
        elif int(command.get("generation") or 0) > self.applied_generation:
            self.applied_generation = int(command["generation"])
            self._beat_now()

    def dismiss(self, how: str) -> None:
        """The control plane does not want this bot: it exits without another word."""
        if self.alive:
            self.alive = False
            self.fleet.ended(self, how)

    def _start(self) -> None:
        self._up = True
        self._tell("started")

    def _started(self) -> None:
        now = self.fleet.now()
        self._beat_at(now + self._beat_s)
        if self._leaving:
            return
        self.stage = Stage.LOBBY
        self._tell("status", stage="lobby")
        self.fleet.at(now + self.script.lobby_s, self._join)

    def _join(self) -> None:
        if not self.alive or self._leaving:
            return
        self.status, self.stage = Status.ACTIVE, Stage.IN_MEETING
        self._tell("joined")
        self.fleet.at(self.fleet.now() + self.script.meeting_s, self.leave)

    def _exit(self) -> None:
        if self.alive and not self.frozen:
            self._tell("exited", exit_code=self.script.exit_code)

    def _tell(self, kind: str, **fields: Any) -> None:
        """Say a milestone after those before it."""
        self._outbox.append((kind, fields))
        if not self._speaking:
            self._tell_next()

    def _tell_next(self) -> None:
        self._speaking = bool(self._outbox) and self.alive
        if not self._speaking:
            return
        kind, fields = self._outbox.popleft()
        self.seq += 1
        body = {"connection_id": self.identity.connection_id, "event_id": f"e{next(_events)}", "seq": self.seq} | fields

        def answered(reply: dict[str, Any]) -> None:
            self._understand(reply)
            self._told(kind)

        self.fleet.say(
            self,
            Call(
                kind=kind,
                body=json.dumps(body).encode(),
                wanted_at=self.fleet.now(),
                horizon_s=PATIENT_S,
                longest_wait_s=self.fleet.longest_wait_s,
                answered=answered,
                given_up=lambda: self._unheard(kind),
            ),
        )

    def _told(self, kind: str) -> None:
        if kind == "exited":
            self.dismiss(f"exit code {self.script.exit_code}")
            return
        if kind == "started":
            self._started()
        self._tell_next()

    def _unheard(self, kind: str) -> None:
        if self.frozen:
            return
        if kind in ("started", "exited"):
            self.dismiss(f"{kind} unheard")
        else:
            self._tell_next()

    def _beat_now(self) -> None:
        if not self._beating:
            self._send_beat(self.fleet.now(), again=False)

    def _beat_at(self, due: float) -> None:
        # From due time to due time: a swarm that was late once would else beat in step ever after, as no bots do.
        self.fleet.at(due, partial(self._beat, due))

    def _beat(self, due: float) -> None:
        """A beat is due: one is on its way at most, and the next is due one interval later, whatever becomes of it."""
        if not self.alive:
            return
        if self.frozen or self._beating:
            self._beat_at(due + self._beat_s)
            return
        self._send_beat(due, again=True)

    def _send_beat(self, wanted_at: float, *, again: bool) -> None:
        self._beating = True
        self.seq += 1
        seq = self.seq
        name = self.identity.connection_id
        body = (
            f'{{"connection_id":"{name}","seq":{seq},"event_id":"b{next(_events)}","status":"{self.status}",'
            f'"stage":"{self.stage}","applied_generation":{self.applied_generation},"participants":3}}'
        )

        def answered(reply: dict[str, Any]) -> None:
            self._beating = False
            self.acknowledged_seq = max(self.acknowledged_seq, seq)
            self._beat_s = float(reply.get("next_beat_s") or self._beat_s)
            self._understand(reply)
            if again:
                self._beat_at(wanted_at + self._beat_s)

        def given_up() -> None:
            self._beating = False
            if again:
                self._beat_at(wanted_at + self._beat_s)

        self.fleet.say(
            self,
            Call(
                kind="heartbeat",
                body=body.encode(),
                wanted_at=wanted_at,
                horizon_s=self._beat_s,
                longest_wait_s=LONGEST_BEAT_WAIT_S,
                answered=answered,
                given_up=given_up,
            ),
        )

    def _understand(self, reply: dict[str, Any]) -> None:
        for command in reply.get("commands") or ():
            self.hear(command, "reply")
