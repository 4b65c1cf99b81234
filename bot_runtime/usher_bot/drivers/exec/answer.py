"""The answer to a callback of the program under the exec driver, in the words that its dialect accepts.

Older bots of Vexa accept any answer with status 200. Those from v0.9 on accept certain words only and send a callback
again, or give up, after any other; the newest look at the HTTP status alone.
"""

from typing import Any

from usher_models.states import Status
from usher_models.wire import Command

NEXT_BEAT_S = 30.0

# The words of Usher's own server, which the oldest bots know, and that of `lifecycle`. Bots with any other callback
# compare the word.
_WORDS = {
    "started": "callback processed",
    "joined": "callback processed",
    "exited": "callback processed",
    "heartbeat": "heartbeat processed",
    "status": "status update processed",
    "lifecycle": "accepted",
}
_COMPARED = "processed"


def answer(name: str, *, meeting_id: int, joined: bool, commands: list[Command]) -> dict[str, Any]:
    """The body of the answer to the callback `name`, the last part of its path."""
    return {
        "status": _WORDS.get(name, _COMPARED),
        "meeting_id": meeting_id,
        "new_status": Status.ACTIVE if joined else Status.STARTING,
        "applied": True,
        "commands": [command.model_dump(mode="json", exclude_none=True) for command in commands],
        "next_beat_s": NEXT_BEAT_S,
    }
