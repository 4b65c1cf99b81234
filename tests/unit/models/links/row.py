"""One link that people paste, and what it must become."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`bot` is where the bot goes when that is not the link as it stands; `beside` is a passcode given beside it."""

    link: str
    native_id: str
    bot: str | None = None
    passcode: str | None = None
    beside: str | None = None
    platform: str | None = None

    @property
    def bot_link(self) -> str:
        return self.link if self.bot is None else self.bot


@dataclass(frozen=True)
class Refused:
    """A link that names no meeting, and what its refusal must say."""

    link: str
    says: str
    platform: str | None = None
