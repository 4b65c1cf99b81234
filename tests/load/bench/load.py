"""HTTP load: open-loop Poisson arrivals, or as many at once as there are connections. Latency counts from the moment at
which a request was due, so that a slow server cannot hide behind its own queue."""

import asyncio
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from tests.load.botswarm.connections import Exchange, Pool, Response
from tests.load.botswarm.figures import Histogram

TRY_S = 60.0


@dataclass
class Outcome:
    """What came of the requests: latencies of all, how many were answered how, and how long it took."""

    latency: Histogram = field(default_factory=Histogram)
    answers: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    last: Response | None = None

    def rate(self, *codes: int) -> float:
        """Answers with those codes per second."""
        return sum(self.answers[code] for code in codes) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server, and how to speak to it."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def request(self, method: str, path: str, body: bytes = b"", *, content: str = "application/json") -> bytes:
        """The bytes of one request."""
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self.host}",
            "User-Agent: usher-load",
            f"Content-Type: {content}",
        ]
        lines += [f"{name}: {value}" for name, value in self.headers] + [f"Content-Length: {len(body)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def pool(self, size: int) -> Pool:
        """Connections to it."""
        return Pool(host=self.host, port=self.port, size=size, tls=self.tls)


async def poisson(
    target: Target,
    payloads: Iterator[bytes],
    *,
    rate: float,
    seconds: float,
    connections: int = 64,
    seed: int = 1,
    enough: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Send payloads at `rate` per second on average, whatever the server does, for so long or until `enough`."""
    generator, outcome, pool = random.Random(seed), Outcome(), target.pool(connections)
    began = due = time.monotonic()
    sent: list[asyncio.Future[None]] = []
    while (due := due + generator.expovariate(rate)) < began + seconds and not enough():
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        sent.append(_send(pool, next(payloads), due, outcome))
    await _gathered(pool, sent, outcome, began)
    return outcome


async def at_once(target: Target, payloads: list[bytes], *, connections: int) -> Outcome:
    """Send all payloads, as fast as so many connections take them."""
    outcome, pool, began = Outcome(), target.pool(connections), time.monotonic()
    queue = iter(payloads)

    async def one_after_the_other() -> None:
        for payload in queue:
            await _send(pool, payload, time.monotonic(), outcome)

    await asyncio.gather(*(one_after_the_other() for _ in range(connections)))
    await _gathered(pool, [], outcome, began)
    return outcome


async def one(target: Target, payload: bytes) -> Response:
    """Send one request. Raises ConnectionError without an answer."""
    outcome = await at_once(target, [payload], connections=1)
    if outcome.last is None:
        raise ConnectionError(f"{target.host}:{target.port} does not answer.")
    return outcome.last


def _send(pool: Pool, payload: bytes, due: float, outcome: Outcome) -> asyncio.Future[None]:
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done: Callable[[Response | None], None] = partial(_note, answered, due, outcome)
    pool.request(Exchange(payload=payload, deadline=time.monotonic() + TRY_S, done=done))
    return answered


def _note(answered: asyncio.Future[None], due: float, outcome: Outcome, response: Response | None) -> None:
    outcome.latency.add(time.monotonic() - due)
    outcome.answers[response.status if response else 0] += 1
    outcome.last = response
    if not answered.done():
        answered.set_result(None)


async def _gathered(pool: Pool, sent: list[asyncio.Future[None]], outcome: Outcome, began: float) -> None:
    looking = asyncio.create_task(pool.look_for_the_late())
    try:
        await asyncio.gather(*sent)
    finally:
        outcome.seconds = time.monotonic() - began
        looking.cancel()
        await pool.close()
