"""Where a recording's sound comes from: the page's own tracks, or what the browser plays."""

from collections.abc import Callable, Mapping
from typing import Protocol

from usher_bot.drivers.browser.page import Page, Reading

Take = Callable[[bytes], None]


class Source(Protocol):
    """The sound of one meeting. Slices joined in their order play, whatever was lost at the end."""

    suffix: str
    """What a file of joined slices is called after, such as `webm`."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What the browser needs in its environment; empty where it need not be audible."""
        ...

    async def open(self) -> None:
        """Get ready, before the browser starts. Raises BrowserFailed."""
        ...

    async def prepare(self, page: Page, take: Take) -> None:
        """Before the page opens: slices will go to `take`."""
        ...

    async def start(self) -> None:
        """Hand slices out from now on."""
        ...

    async def stop(self) -> None:
        """Hand out the last slice, if there still is one; soon over in any case."""
        ...

    async def close(self) -> None:
        """After the browser's end."""
        ...

    def loudness(self, reading: Reading) -> float:
        """How loud the others are now, as the root of the mean square: 0 is silence, 1 as loud as can be."""
        ...
