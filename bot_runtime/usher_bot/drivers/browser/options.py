"""The browser driver's options: what a class of bots sets once for all its bots."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from usher_bot.drivers.browser.flags import check_added
from usher_bot.drivers.browser.platforms import NAMES
from usher_bot.drivers.browser.sound.options import SinkOptions

Seconds = Annotated[float, Field(ge=0, le=86_400)]


def _is_site(value: str) -> str:
    if value not in ("auto", *NAMES):
        raise ValueError(f"it must be auto or one of {', '.join(NAMES)}")
    return value


class BrowserOptions(BaseModel):
    """0 turns a limit off, where nothing else is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chromium: Path = Path("/usr/bin/chromium")
    headless: bool = True
    sandbox: Literal["auto", "on", "off"] = "auto"
    """Chromium's own sandbox; auto tries it and goes on without where the pod does not allow it."""
    flags: Annotated[tuple[str, ...], AfterValidator(check_added)] = ()
    locale: str = "en-US"
    site: Annotated[str, AfterValidator(_is_site)] = "auto"
    """Whose pages these are; auto follows USHER_PLATFORM."""
    join_s: Seconds = 90
    """How long the bot looks for its way from the first page to a lobby or the meeting."""
    lobby_s: Seconds = 0
    """How long the bot waits to be let in; 0 leaves that to the platform's own budget."""
    nobody_came_s: Seconds = 600
    alone_s: Seconds = 60
    only_bots_s: Seconds = 120
    silence_s: Seconds = 0
    bot_names: str = r"(?i)\b(bot|notetaker|note taker|notes|recorder|assistant|otter\.ai|fireflies)\b"
    """Participants whose name this regular expression finds are bots."""
    hung_s: Seconds = 15
    """A page that does not answer for so long has hung."""
    network_s: Seconds = 20
    """A connection whose counters stand still for so long is lost."""
    sound: Literal["auto", "tracks", "server"] = "auto"
    """What the bot hears: the page's remote tracks, or what the browser plays to a sound server; auto chooses."""
    sinks: tuple[SinkOptions, ...] = ()
    """What takes the meeting's sound; without any, nothing is recorded."""
    captions: bool = False
    """Ask the page for captions, where it shows them only when asked; what is shown goes to the sinks in any case."""
    slice_s: Annotated[float, Field(ge=0.25, le=60)] = 1
    """How much a crash may lose."""
    bits: Annotated[int, Field(ge=6_000, le=510_000)] = 32_000
    """Bits per second of the recording."""
    evidence: Path | None = None
    """A folder for a picture and the texts of a page that the bot does not know."""

    def site_of(self, platform: str) -> str:
        """Whose pages a bot of that platform meets."""
        return platform if self.site == "auto" else self.site
