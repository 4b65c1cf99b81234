"""The narrow interface between platforms and a browser.

Everything above knows these types only; `chromium` fulfils them with Playwright, tests with a scripted page.
"""

from asyncio import Future
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

Receive = Callable[[str], Awaitable[None]]


class PageSilent(Exception):
    """The page did not answer in time, or is between two documents."""


class BrowserFailed(Exception):
    """The browser did not start."""


class Death(StrEnum):
    """How a page can die under the bot."""

    PAGE_CRASHED = "page_crashed"
    PAGE_HUNG = "page_hung"
    BROWSER_CRASHED = "browser_crashed"
    NETWORK_LOST = "network_lost"


@dataclass(frozen=True)
class Target:
    """Something to click or to fill: the first visible element that a selector or, for buttons, a text finds."""

    css: tuple[str, ...] = ()
    text: tuple[str, ...] = ()


@dataclass(frozen=True)
class Query:
    """What to look for in every frame of a page."""

    css: Sequence[str] = ()
    scripts: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a page shows at one moment. `text` is its visible text, in small letters, with straight apostrophes."""

    url: str = ""
    title: str = ""
    text: str = ""
    found: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scripts: Mapping[str, Any] = field(default_factory=dict)


class Page(Protocol):
    """One tab. Each call raises PageSilent rather than wait long."""

    @property
    def death(self) -> "Future[Death]":
        """Done when the page or its browser is known to be dead, by an event of the browser's."""
        ...

    async def bind(self, name: str, receive: Receive) -> None:
        """Let the page call `window.NAME(text)`; before `open`."""
        ...

    async def open(self, url: str) -> None:
        """Go to a URL and return when its document is there."""
        ...

    async def look(self, query: Query) -> Reading:
        """Read every frame."""
        ...

    async def fill(self, target: Target, text: str) -> bool:
        """Type into a field; True if there was one."""
        ...

    async def click(self, target: Target) -> bool:
        """Click as a person would; True if something visible and uncovered was there."""
        ...

    async def evaluate(self, script: str, *, within_s: float) -> Any:
        """The value of a script in the main frame."""
        ...

    async def browser_answers(self, *, within_s: float) -> bool:
        """True if the browser itself answers, whatever its pages do."""
        ...

    async def memory(self, *, within_s: float) -> int:
        """The bytes that the largest tab's process holds; 0 if that cannot be known."""
        ...

    async def picture(self) -> bytes:
        """A PNG of what is visible."""
        ...


class Browser(Protocol):
    """One browser with one tab."""

    @property
    def sandboxed(self) -> bool:
        """True if Chromium's own sandbox is on."""
        ...

    async def start(self) -> Page:
        """Start the browser and open an empty tab. Raises BrowserFailed."""
        ...

    async def stop(self) -> None:
        """End the browser and everything it started, also when it does not answer."""
        ...


def plain(text: str) -> str:
    """The text as it is compared: small letters, straight apostrophes, single spaces."""
    straight = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("\N{LEFT SINGLE QUOTATION MARK}", "'")
    return " ".join(straight.lower().split())
