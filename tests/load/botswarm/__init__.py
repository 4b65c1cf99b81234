"""Thousands of bots in one process: they play the callback protocol against a real `usher serve`, token and all.

    tokens = TokenSigner.of_cluster(bare.load())
    swarm = Swarm(url="http://127.0.0.1:8081", tokens=tokens, redis_url="redis://…")
    async with swarm.running():
        swarm.add(Identity(connection_id="…", namespace="usher-bots", job_name="bot-1"), Script(meeting_s=60))
        await asyncio.sleep(120)
    print(swarm.figures.table())

What a bot of the swarm does is what `usher_bot` does, seen from outside: `started`, stages, `joined`, heartbeats at the
pace it is told, obedience to commands from replies and from Redis, `stopping`, `exited`; the same waits between tries
and the same horizons. The schedule is open-loop: a slow server gets no less load, and every latency is counted from
the moment at which the bot wanted to speak.
"""

from tests.load.botswarm.bot import Identity, Script
from tests.load.botswarm.figures import Figures, Histogram
from tests.load.botswarm.swarm import Swarm
from tests.load.botswarm.tokens import TokenSigner

__all__ = ["Figures", "Histogram", "Identity", "Script", "Swarm", "TokenSigner"]
