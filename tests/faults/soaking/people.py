"""The people of a soak: they ask for bots over REST and by BotRequests, and do to them what the plan says.

As people do, they repeat what got no answer; over REST with the same key, so that a repeat asks for no second bot.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.faults.harness.api import MERGE, REQUESTS, Json
from tests.faults.harness.installation import Installation
from tests.faults.history.format import Outcome
from tests.faults.history.format import What as Recorded
from tests.faults.history.recorder import Recorder, outcome_of
from tests.faults.soaking.plan import Act, Life, What
from usher_models.db import api_tokens, users
from usher_models.db.engine import Database

# Longer than serve can be kept from its work by kills: nobody shall remain without an answer.
PATIENCE_S = 180.0
# The shortest there is: a bot that is never let in is failed a minute later.
LOBBY_S = 10
PAUSE_S = 0.3
PLATFORM = "jitsi"
LANGUAGES = ("de", "fr", "es", "it")


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user and the key to the REST API."""

    id: int
    key: str


async def some_people(truth: Database, count: int, *, cap: int) -> list[Person]:
    """Users with that cap."""
    people = []
    async with truth.transaction() as connection:
        for number in range(count):
            user_id = await users.add_user(connection, f"person-{number}@soak.test", max_concurrent_bots=cap)
            _, key = await api_tokens.create_token(connection, user_id)
            people.append(Person(id=user_id, key=key))
    return people


@dataclass(frozen=True)
class _Call:
    """A call over REST; `native_id` is the meeting's, and the key of a request for a bot."""

    what: Recorded
    person: Person
    method: str
    path: str
    body: Json | None
    native_id: str


@dataclass
class People:
    """What they did is counted: `did` by what and by the answer, such as `ask 201`."""

    installation: Installation
    persons: list[Person]
    session: aiohttp.ClientSession
    patience_s: float = PATIENCE_S
    recorder: Recorder = field(default_factory=Recorder.nowhere)
    promised: Callable[[int, int], object] = lambda _meeting, _user: None
    """Told of each meeting for which the REST API promises a bot, and of its user."""
    did: Counter[str] = field(default_factory=Counter)
    taken: set[str] = field(default_factory=set)
    """The meetings for which the REST API has promised a bot."""
    unanswered: list[str] = field(default_factory=list)

    async def live(self, life: Life, *, began: float) -> None:
        """Play one life's requests and acts in their time."""
        await _until(began + life.at_s)
        if not await self.ask(life):
            return
        for act in life.acts:
            await _until(began + life.at_s + act.after_s)
            await self.act(life, act)

    async def ask(self, life: Life) -> bool:
        """Ask for the bot; whether anybody took the request."""
        person = self.persons[life.user]
        if life.over_rest:
            asked: Json = {
                "platform": PLATFORM,
                "native_meeting_id": life.native_id,
                "automatic_leave": {"max_wait_for_admission": 1000 * LOBBY_S},
            }
            taken = await self._rest(_Call(Recorded.ASK, person, "POST", "/bots", asked, life.native_id)) == 201
            self.taken |= {life.native_id} if taken else set()
            return taken
        body: Json = {
            "apiVersion": "usher.dev/v1alpha1",
            "kind": "BotRequest",
            "metadata": {"name": life.native_id},
            "spec": {
                "userId": person.id,
                "platform": PLATFORM,
                "nativeMeetingId": life.native_id,
                "lobbyTimeoutSeconds": LOBBY_S,
            },
        }
        args = {"user": person.id, "platform": PLATFORM, "native_id": life.native_id}
        number = self.recorder.invoke(f"person {person.id}", Recorded.APPLY, **args)
        await self.installation.api.make(REQUESTS.format(self.installation.namespace), body)
        self.recorder.answer(number, Outcome.OK)
        self.did["apply"] += 1
        return True

    async def act(self, life: Life, act: Act) -> None:
        """Do something to a bot."""
        language = LANGUAGES[int(1000 * act.after_s) % len(LANGUAGES)]
        if life.over_rest:
            path = f"/bots/{PLATFORM}/{life.native_id}"
            person = self.persons[life.user]
            if act.what is What.LEAVE:
                await self._rest(_Call(Recorded.LEAVE, person, "DELETE", path, None, life.native_id))
            else:
                asked: Json = {"language": language}
                await self._rest(_Call(Recorded.RECONFIGURE, person, "PUT", f"{path}/config", asked, life.native_id))
            return
        path = f"{REQUESTS.format(self.installation.namespace)}/{life.native_id}"
        recorded = Recorded.DELETE if act.what is What.DELETE else Recorded.PATCH
        number = self.recorder.invoke(f"person {self.persons[life.user].id}", recorded, native_id=life.native_id)
        if act.what is What.DELETE:
            status, _ = await self.installation.api.persist("DELETE", path)
        else:
            wanted = {"desiredState": "Left"} if act.what is What.LEAVE else {"language": language}
            status, _ = await self.installation.api.persist("PATCH", path, {"spec": wanted}, kind=MERGE)
        self.recorder.answer(number, outcome_of(status), code=status)
        self.did[f"{act.what} object {status}"] += 1

    async def _rest(self, call: _Call) -> int:
        """A call until it is answered; the code, 0 when patience ended first."""
        deadline = time.monotonic() + self.patience_s
        while time.monotonic() < deadline:
            code = await self._try(call)
            if 0 < code < 500:
                code = 201 if code == 200 and call.what == Recorded.ASK else code
                self.did[f"{call.what} {code}"] += 1
                return code
            await asyncio.sleep(PAUSE_S)
        self.unanswered.append(f"{call.what} {call.path}")
        return 0

    async def _try(self, call: _Call) -> int:
        """One try, and what the history keeps of it."""
        args = {"user": call.person.id, "platform": PLATFORM, "native_id": call.native_id, "request": call.native_id}
        number = self.recorder.invoke(f"person {call.person.id}", call.what, **args)
        code, got = await self._send(call)
        outcome, kept = outcome_of(code), {}
        if call.what == Recorded.ASK and outcome is Outcome.OK:
            self.promised(int(got["id"]), call.person.id)
            kept = {"meeting": got["id"], "status": got["status"], "replayed": code == 200 or got["replayed"]}
        self.recorder.answer(number, outcome, code=code, **kept)
        return code

    async def _send(self, call: _Call) -> tuple[int, Json]:
        headers = {"X-API-Key": call.person.key}
        if call.what == Recorded.ASK:
            headers["Idempotency-Key"] = call.native_id
        options: dict[str, Any] = {"json": call.body, "headers": headers, "timeout": aiohttp.ClientTimeout(total=15)}
        try:
            url = self.installation.api_url + call.path
            async with self.session.request(call.method, url, **options) as answer:
                got = await answer.json(content_type=None)
                return answer.status, (got or {}) | {"replayed": "Idempotent-Replayed" in answer.headers}
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 0, {}


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
