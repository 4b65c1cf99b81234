"""A bot's own user of Redis: derived from its row and a secret, so that nothing has to be stored anywhere.

Pure functions, no I/O. The user may subscribe to the two channels of its own meeting and to nothing else. Its password
is an HMAC of the connection id; Redis is told the password's digest only, so it never travels to it in plain text.
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


@dataclass(frozen=True, kw_only=True)
class RedisAccount:
    """The user of one bot."""

    name: str
    password: str
    channels: tuple[str, ...]

    @classmethod
    def of(cls, *, meeting_id: int, connection_id: str, secret: str) -> Self:
        """The account of that meeting's bot."""
        return cls(
            name=f"{PREFIX}{meeting_id}",
            password=hmac.new(secret.encode(), connection_id.encode(), hashlib.sha256).hexdigest(),
            channels=command_channels(meeting_id=meeting_id, connection_id=connection_id),
        )

    def rules(self) -> tuple[str, ...]:
        """The rules of ACL SETUSER; repeating them changes nothing, and whatever was there before is gone."""
        digest = hashlib.sha256(self.password.encode()).hexdigest()
        return ("reset", "resetchannels", "on", f"#{digest}", *(f"&{channel}" for channel in self.channels), *COMMANDS)

    def url(self, server: str) -> str:
        """Where this account logs in: the server of a URL, whosever credentials that has."""
        parts = urlsplit(server)
        address = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{self.name}:{self.password}@{address}"))


def meeting_of(name: str) -> int | None:
    """The meeting whose bot has that name; None for anybody else's user."""
    number = name.removeprefix(PREFIX)
    return int(number) if name.startswith(PREFIX) and number.isascii() and number.isdecimal() else None
