"""The inbox: every command to the bot passes here, by whichever way it came.

Redis is the fast way and may repeat, lose or garble; the replies to callbacks are the guaranteed way and repeat a
command until it took effect. The inbox makes one of it: what was seen is not handled again. It lives as long as the
process and remembers a bounded number of ids.
"""

import asyncio
import json
import logging
from collections import OrderedDict
from typing import Any
from uuid import uuid4

from usher_models.wire import BODY_MAX_BYTES, Command

REMEMBERED_IDS = 256

logger = logging.getLogger(__name__)


def parse_command(raw: bytes | str) -> Command | None:
    """The command in a message from Redis, or None (logged) when there is none. Never raises."""
    if len(raw) > BODY_MAX_BYTES:
        _log_dropped("it is too long")
        return None
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        _log_dropped("it is not JSON")
        return None
    return read_command(document)


def read_command(document: Any) -> Command | None:
    """The command in a JSON document, or None (logged). The bare shape of older senders, without an id, is taken."""
    if not isinstance(document, dict):
        _log_dropped("it is not an object")
        return None
    try:
        return Command.model_validate({"id": f"bare:{uuid4()}", **document})
    except ValueError:
        _log_dropped("its fields are not those of a command")
        return None


def _log_dropped(why: str) -> None:
    logger.warning("A command was dropped because %s.", why, extra={"action": "command_dropped"})


class Inbox:
    """Commands that wait for the bot: `leave_asked` for good, reconfigurations in their order."""

    def __init__(self) -> None:
        self.leave_asked = asyncio.Event()
        self._reconfigurations: asyncio.Queue[Command] = asyncio.Queue()
        self._seen: OrderedDict[str, None] = OrderedDict()

    def put(self, command: Command) -> None:
        """Take a command in, unless it was seen before."""
        if command.id in self._seen:
            return
        self._remember(command.id)
        logger.info("The command to %s arrived.", command.action, extra={"action": f"command_{command.action}"})
        if command.action == "leave":
            self.leave_asked.set()
        else:
            self._reconfigurations.put_nowait(command)

    def forget(self, command: Command) -> None:
        """Let the command in again: it could not be carried out, and its sender repeats it."""
        self._seen.pop(command.id, None)

    async def next_reconfiguration(self) -> Command:
        """The next reconfiguration, in the order of arrival."""
        return await self._reconfigurations.get()

    def _remember(self, command_id: str) -> None:
        self._seen[command_id] = None
        if len(self._seen) > REMEMBERED_IDS:
            self._seen.popitem(last=False)
