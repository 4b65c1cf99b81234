"""A bot's own user of Redis: derived from its row and a secret, so that nothing has to be stored anywhere.

Pure functions, no I/O. The user may subscribe to the two channels of its own meeting and to nothing else, unless bots
also write what Vexa's write (`TRANSCRIPTS`). Its password is an HMAC of the connection id; Redis is told the password's
digest only, so it never travels to it in plain text.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from usher_models.wire import command_channels

PREFIX = "bot-"
# What a client library says when it connects is in @connection; what could harm others there is @dangerous.
COMMANDS = ("+@connection", "-@dangerous", "+subscribe", "+unsubscribe")

# What Vexa's bots write: two streams that all bots share, and the channels and keys of their own meeting. Selectors
# (Redis 7) keep each command to its keys; `%W` is the right to write a key and not to read it.
TRANSCRIPTS = (
    "(%W~transcription_segments %W~speaker_events_relative +xadd)",
    "(%W~meeting:{meeting}:pending:* +set +del)",
    "(%W~meeting:{meeting}:chat_messages %W~va:meeting:{meeting}:event_log +rpush +ltrim +expire)",
    "(resetchannels &meeting:{meeting}:segments &tc:meeting:{meeting}:mutable &va:meeting:{meeting}:* +publish)",
)


@dataclass(frozen=True, kw_only=True)
class RedisAccount:
    """The user of one bot."""

    meeting_id: int
    name: str
    password: str
    channels: tuple[str, ...]

    @classmethod
    def of(cls, *, meeting_id: int, connection_id: str, secret: str) -> Self:
        """The account of that meeting's bot."""
        return cls(
            meeting_id=meeting_id,
            name=f"{PREFIX}{meeting_id}",
            password=hmac.new(secret.encode(), connection_id.encode(), hashlib.sha256).hexdigest(),
            channels=command_channels(meeting_id=meeting_id, connection_id=connection_id),
        )

    def rules(self, *, transcripts: bool = False) -> tuple[str, ...]:
        """The rules of ACL SETUSER; repeating them changes nothing, and whatever was there before is gone."""
        digest = hashlib.sha256(self.password.encode()).hexdigest()
        channels = (f"&{channel}" for channel in self.channels)
        written = (rule.format(meeting=self.meeting_id) for rule in TRANSCRIPTS) if transcripts else ()
        return ("reset", "resetchannels", "on", f"#{digest}", *channels, *COMMANDS, *written)

    def url(self, server: str) -> str:
        """Where this account logs in: the server of a URL, whosever credentials that has."""
        parts = urlsplit(server)
        address = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{self.name}:{self.password}@{address}"))


def meeting_of(name: str) -> int | None:
    """The meeting whose bot has that name; None for anybody else's user."""
    number = name.removeprefix(PREFIX)
    return int(number) if name.startswith(PREFIX) and number.isascii() and number.isdecimal() else None
