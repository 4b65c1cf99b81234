"""The swarm: one clock, one pool of connections, one Redis subscription, and the bots that share them.

A bot costs a small object and an entry in the clock's heap; no task waits for it. Everything runs on one loop, in the
order in which it is due.
"""

import asyncio
import heapq
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

from tests.load.botswarm.bot import LONGEST_WAIT_S, PATIENCE_S, Bot, Call, Identity, Script
from tests.load.botswarm.command_subscription import CommandSubscription
from tests.load.botswarm.connections import Exchange, Pool, Response
from tests.load.botswarm.figures import Figures
from tests.load.botswarm.tokens import TokenSigner

FIRST_WAIT_S = 0.5
LONGEST_TRY_S = 10.0
LONGEST_RETRY_AFTER_S = 120.0
_PATH = "/bots/internal/callback"
_TRY_AGAIN = frozenset({408, 425, 429})
_NOTHING: dict[str, Any] = {}


class Observer(Protocol):
    """Told of each try of a callback, before anybody acts on its answer."""

    def asked(self, bot: Bot, call: Call) -> int:
        """A try is sent; the number is for `answered`."""

    def answered(self, number: int, answer: Response | None) -> None:
        """Its answer; None if there is none."""


class Swarm:
    """Bots that speak to the callback server at `url`.

    `connections` is how many they share; with `fresh`, every callback opens one of its own, as `usher_bot` does when
    its last word is more than 15 s ago. `redis_url` lets them hear commands at once. `seed` makes phases and waits
    repeatable. `longest_wait_s`, between two tries to say the same, is for short clocks. `on_event(bot, event, at)`
    hears of `joined`, `command …` and `ended …` (`at`: monotonic seconds). `observer` hears every callback.
    """

    def __init__(
        self,
        *,
        url: str,
        tokens: TokenSigner,
        redis_url: str | None = None,
        connections: int = 200,
        fresh: bool = False,
        beat_s: float = 30.0,
        longest_wait_s: float = LONGEST_WAIT_S,
        seed: int | None = None,
        on_event: Callable[[Bot, str, float], None] | None = None,
        observer: Observer | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._host = parts.netloc
        self._pool = Pool(host=parts.hostname or "127.0.0.1", port=parts.port or 80, size=connections, fresh=fresh)
        self._tokens = tokens
        self._ears = CommandSubscription(redis_url) if redis_url else None
        self._random = random.Random(seed)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._entries = 0
        self._wake = asyncio.Event()
        self._on_event = on_event
        self._observer = observer
        self.beat_s = beat_s
        self.longest_wait_s = longest_wait_s
        self.bots: dict[str, Bot] = {}
        self.figures = Figures()
        self.late_s = 0.0
        """How far the swarm itself was behind its schedule at worst: beyond a few ms, it and not the server is slow."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Swarm"]:
        """Play for as long as the context lasts; at its end every bot falls silent."""
        async with AsyncExitStack() as stack:
            tasks = [asyncio.create_task(self._play()), asyncio.create_task(self._pool.look_for_the_late())]
            if self._ears is not None:
                tasks.append(asyncio.create_task(self._ears.listen(self.hear)))
            stack.push_async_callback(_end, tasks)
            stack.push_async_callback(self._pool.close)
            yield self

    def add(self, identity: Identity, script: Script) -> Bot:
        """One more bot; it comes to life at once. One that is known already is returned as it is."""
        known = self.bots.get(identity.connection_id)
        if known is not None:
            return known
        bot = self.bots[identity.connection_id] = Bot(identity, script, self)
        if self._ears is not None:
            self._ears.subscribe(identity)
        bot.begin()
        return bot

    def terminate(self, connection_id: str) -> None:
        """SIGTERM: the bot leaves."""
        if bot := self.bots.get(connection_id):
            bot.leave()

    def kill(self, connection_id: str) -> None:
        """SIGKILL: the bot is gone without a word."""
        if bot := self.bots.get(connection_id):
            bot.dismiss("killed")

    def freeze(self, connection_id: str, *, frozen: bool = True) -> None:
        """SIGSTOP, or with `frozen=False` SIGCONT."""
        if bot := self.bots.get(connection_id):
            bot.frozen = frozen

    def live(self) -> list[Bot]:
        """The bots that have not ended."""
        return [bot for bot in self.bots.values() if bot.alive]

    def move_to(self, url: str) -> None:
        """Speak to another callback server from the next connection on."""
        parts = urlsplit(url)
        self._host = parts.netloc
        self._pool.move_to(parts.hostname or "127.0.0.1", parts.port or 80)

    def hear(self, connection_id: str, command: dict[str, Any]) -> None:
        """A command arrived on Redis."""
        if bot := self.bots.get(connection_id):
            bot.hear(command, "redis")

    # What a bot needs of its swarm (`bot.World`).

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def random(self) -> float:
        """Between 0 and 1."""
        return self._random.random()

    def at(self, due: float, act: Callable[[], None]) -> None:
        """Do something later."""
        self._entries += 1
        heapq.heappush(self._heap, (due, self._entries, act))
        if self._heap[0][0] == due:
            self._wake.set()

    def say(self, bot: Bot, call: Call) -> None:
        """Try a callback until it is answered or its horizon is reached."""
        if not bot.alive or bot.frozen:
            call.given_up()
            return
        now = time.monotonic()
        try_s = min(LONGEST_TRY_S, max(call.horizon_s / 2, 1.0))
        heard = self._observed(bot, call) if self._observer else lambda answer: self._heard(bot, call, answer)
        self._pool.request(Exchange(payload=self._request(bot, call), deadline=now + try_s, done=heard))

    def _observed(self, bot: Bot, call: Call) -> Callable[[Response | None], None]:
        """Tell the observer first: of a frozen or dead bot's answers as well."""
        observer = self._observer
        assert observer is not None
        number = observer.asked(bot, call)

        def heard(answer: Response | None) -> None:
            observer.answered(number, answer)
            self._heard(bot, call, answer)

        return heard

    def obeyed(self, bot: Bot, command: dict[str, Any], way: str) -> None:
        """A bot learned a command that it had not known."""
        self.figures.commands[f"{command.get('action')} {way}"] += 1
        self._tell(bot, f"command {command.get('id')} {way}")

    def ended(self, bot: Bot, how: str) -> None:
        """A bot is no more."""
        self.figures.ended[how] += 1
        if self._ears is not None:
            self._ears.unsubscribe(bot.identity)
        self._tell(bot, f"ended {how}")

    def _tell(self, bot: Bot, event: str) -> None:
        if self._on_event is not None:
            self._on_event(bot, event, time.monotonic())

    async def _play(self) -> None:
        while True:
            self._wake.clear()
            now = time.monotonic()
            while self._heap and self._heap[0][0] <= now:
                due, _, act = heapq.heappop(self._heap)
                self.late_s = max(self.late_s, now - due)
                act()
                now = time.monotonic()
                if now - due > 0.01:
                    # Let answers in: a burst that is due at once must not starve the sockets.
                    await asyncio.sleep(0)
            wait = self._heap[0][0] - time.monotonic() if self._heap else None
            with suppress(TimeoutError):
                async with asyncio.timeout(None if wait is None else max(wait, 0)):
                    await self._wake.wait()

    def _request(self, bot: Bot, call: Call) -> bytes:
        if time.time() >= bot.token_until:
            token = self._tokens.token(bot.identity)
            bot.token, bot.token_until = token.text, token.used_until
        method = "PATCH" if call.kind == "status" else "POST"
        return (
            f"{method} {_PATH}/{call.kind} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {bot.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(call.body)}\r\n\r\n"
        ).encode() + call.body

    def _heard(self, bot: Bot, call: Call, answer: Response | None) -> None:
        if not bot.alive or bot.frozen:
            call.given_up()
        elif answer is not None and answer.status == 200:
            bot.refused_since.clear()
            self.figures.note(call.kind, time.monotonic() - call.wanted_at)
            if call.kind == "joined":
                self._tell(bot, "joined")
            call.answered(json.loads(answer.body))
        elif answer is None or answer.status >= 500 or answer.status in _TRY_AGAIN:
            self._again(bot, call, str(answer.status) if answer else "no answer", answer)
        else:
            self._refused(bot, call, answer)

    def _refused(self, bot: Bot, call: Call, answer: Response) -> None:
        """What `usher_bot` does with a refusal: dismissal at once, after some patience, or going on undaunted."""
        patience_s = PATIENCE_S.get(answer.status)
        if answer.status == 409 and b"another_pod_speaks" not in answer.body:
            patience_s = None
        if patience_s is None:
            self.figures.declined[f"{call.kind} {answer.status}"] += 1
            call.answered(_NOTHING)
            return
        now = time.monotonic()
        if now - bot.refused_since.setdefault(answer.status, now) >= patience_s:
            bot.dismiss(f"dismissed {answer.status}")
            return
        self._again(bot, call, str(answer.status), answer)

    def _again(self, bot: Bot, call: Call, why: str, answer: Response | None) -> None:
        call.tries += 1
        highest = min(FIRST_WAIT_S * 2 ** min(call.tries - 1, 10), call.longest_wait_s)
        wait = self._random.uniform(0, highest)
        if answer is not None:
            wait += min(answer.retry_after_s, LONGEST_RETRY_AFTER_S)
        now = time.monotonic()
        if now + wait >= call.wanted_at + call.horizon_s:
            self.figures.lost[call.kind] += 1
            call.given_up()
            return
        self.figures.retries[why] += 1
        self.at(now + wait, lambda: self.say(bot, call))


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
