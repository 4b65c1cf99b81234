"""Commands for a program that has a Redis of its own (REDIS_URL).

Vexa's bots read commands on Redis alone, and such a program is not where Usher publishes them. So they are published
once more there, on the same channels.
"""

import logging

from usher_models.wire import Command, command_channels

_TIMEOUT_S = 5.0

logger = logging.getLogger(__name__)


class ProgramRedis:
    """The Redis at `url`; empty if the program has none of its own."""

    def __init__(self, url: str, *, meeting_id: int, connection_id: str) -> None:
        self._url = url
        self._channels = command_channels(meeting_id=meeting_id, connection_id=connection_id)

    async def publish(self, command: Command) -> bool:
        """True if the program got the command; never raises."""
        if not self._url:
            return False
        try:
            return await self._publish(command.model_dump_json(exclude_none=True))
        except Exception as exc:
            # The text of the error may repeat parts of the URL, and with it the password.
            logger.warning(
                "The Redis of the bot's program did not take a command (%s).",
                type(exc).__name__,
                extra={"action": "program_redis_failed"},
            )
            return False

    async def _publish(self, message: str) -> bool:
        from redis.asyncio import Redis

        client = Redis.from_url(self._url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
        async with client:
            receivers = [await client.publish(channel, message) for channel in self._channels]
        return any(receivers)
