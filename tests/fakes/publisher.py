"""The fast path of commands, on record instead of on Redis."""

from usher_models.db.bots import BotSummary
from usher_models.wire import Command


class RecordingPublisher:
    """Implements Publisher."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Command]] = []

    async def publish(self, bot: BotSummary, command: Command) -> None:
        """See Publisher."""
        self.published.append((bot.connection_id, command))

    def actions(self, connection_id: str) -> list[str]:
        """What that bot was told, in order."""
        return [command.action for to, command in self.published if to == connection_id]
