"""The swarm's ears: one subscription for all bots, which comes back by itself when Redis was away."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from tests.load.botswarm.bot import Identity
from usher_models.wire import command_channels

Heard = Callable[[str, dict[str, Any]], None]


class CommandSubscription:
    """Listens on the first of each bot's two channels: a bot listens on both, and the second says the same again."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._bots: dict[str, str] = {}
        self._news = asyncio.Queue[tuple[bool, str]]()

    def subscribe(self, bot: Identity) -> None:
        """Listen for one more bot."""
        channel = _channel(bot)
        self._bots[channel] = bot.connection_id
        self._news.put_nowait((True, channel))

    def unsubscribe(self, bot: Identity) -> None:
        """Listen for it no more."""
        if self._bots.pop(_channel(bot), None) is not None:
            self._news.put_nowait((False, _channel(bot)))

    async def listen(self, heard: Heard) -> None:
        """Listen for ever."""
        while True:
            try:
                async with Redis.from_url(self._url) as redis, redis.pubsub() as subscription:
                    await self._listen_once(subscription, heard)
            except (RedisError, OSError):
                await asyncio.sleep(0.5)

    async def _listen_once(self, subscription: PubSub, heard: Heard) -> None:
        # A channel of its own keeps the subscription open while there are no bots.
        await subscription.subscribe("botswarm", *self._bots)
        changing = asyncio.create_task(self._change(subscription))
        try:
            async for message in subscription.listen():
                channel = message["channel"].decode()
                if message["type"] == "message" and channel in self._bots:
                    heard(self._bots[channel], json.loads(message["data"]))
        finally:
            changing.cancel()
            await asyncio.gather(changing, return_exceptions=True)

    async def _change(self, subscription: PubSub) -> None:
        while True:
            news = [await self._news.get()]
            while not self._news.empty():
                news.append(self._news.get_nowait())
            wanted = dict.fromkeys(channel for _, channel in news)
            if added := [channel for channel in wanted if channel in self._bots]:
                await subscription.subscribe(*added)
            if removed := [channel for channel in wanted if channel not in self._bots]:
                await subscription.unsubscribe(*removed)


def _channel(bot: Identity) -> str:
    return command_channels(meeting_id=bot.meeting_id, connection_id=bot.connection_id)[1]
