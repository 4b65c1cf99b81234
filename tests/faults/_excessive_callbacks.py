"""A bot that says too much: the same again, what is long past, what is not true yet, and what is no callback at all.

It has a real bot's token and name, and says everything but that it leaves: a bot that says so itself is to be believed.
"""

import asyncio
import json
import random
from collections import Counter
from typing import Any

import aiohttp

from usher_models.states import Stage
from usher_operator.callbacks.routes import PREFIX

VOICES = 12
WITHIN_S = 60.0
# Voices that never stopped for it would leave the bot itself no room among what one connection may say.
BREATH_S = 0.05
NONSENSE = (b"", b"{", b"[]", b"null", b'{"connection_id": 7}', b"\xff\xfe", b'{"connection_id": ""}', b"9" * 5_000)


async def babble(url: str, connection_id: str, *, token: str, dice: random.Random) -> Counter[int]:
    """Speak with several voices until the answer is that the meeting is over (410); the answers, by HTTP code."""
    answers: Counter[int] = Counter()
    over = asyncio.Event()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def voice(session: aiohttp.ClientSession) -> None:
        while not over.is_set():
            kind, body = _words(connection_id, dice)
            async with session.post(f"{url}{PREFIX}/{kind}", data=body) as answer:
                answers[answer.status] += 1
                if answer.status == 410:
                    over.set()
                elif answer.status == 429:
                    await asyncio.sleep(BREATH_S)

    async with asyncio.timeout(WITHIN_S), aiohttp.ClientSession(headers=headers) as session:
        await asyncio.gather(*(voice(session) for _ in range(VOICES)))
    return answers


def _words(connection_id: str, dice: random.Random) -> tuple[str, bytes]:
    kind = dice.choice(("started", "joined", "heartbeat", "heartbeat", "status"))
    if dice.random() < 0.1:
        return kind, dice.choice(NONSENSE)
    body: dict[str, Any] = {"connection_id": connection_id, "event_id": f"babble-{dice.randrange(50)}"}
    if kind == "heartbeat":
        body |= {
            "seq": dice.choice((0, 1, 2**63 - 1)),
            "status": dice.choice(("starting", "active", None)),
            "applied_generation": dice.randrange(2**31),
            "participants": dice.randrange(1000),
        }
    if kind != "started":
        body["stage"] = dice.choice(list(Stage))
    return kind, json.dumps(body).encode()
