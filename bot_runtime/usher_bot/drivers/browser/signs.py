"""What a platform's pages show, as data, and which screen a reading of a page amounts to.

Each sign names where it is known from. A screen counts when one of its signs is there and none of that sign's
counter-signs is. Texts are compared in small letters with straight apostrophes.
"""

import re
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from usher_bot.drivers.browser.page import Query, Reading, Target, plain

LOUDNESS = "window.__usherTap?.level() ?? 0"


class Screen(StrEnum):
    """What a page shows the bot. The order decides when signs of several screens are there before admission."""

    BLOCKED = "blocked"
    CAPTCHA = "captcha"
    SIGN_IN = "sign_in"
    NOT_FOUND = "not_found"
    FULL_OR_LOCKED = "full_or_locked"
    PASSCODE_WRONG = "passcode_wrong"
    DENIED = "denied"
    LOBBY_TIMEOUT = "lobby_timeout"
    REMOVED = "removed"
    ENDED = "ended"
    PROMPT = "prompt"
    PASSCODE = "passcode"
    NOT_STARTED = "not_started"
    LOBBY = "lobby"
    INSIDE = "inside"
    PREJOIN = "prejoin"
    LAUNCHER = "launcher"
    UNKNOWN = "unknown"


FINAL = frozenset(
    {
        Screen.BLOCKED,
        Screen.CAPTCHA,
        Screen.SIGN_IN,
        Screen.NOT_FOUND,
        Screen.FULL_OR_LOCKED,
        Screen.PASSCODE_WRONG,
        Screen.DENIED,
        Screen.LOBBY_TIMEOUT,
        Screen.REMOVED,
        Screen.ENDED,
    }
)


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sign(_Data):
    """One sign of a screen: every kind that is set must be there, and within a kind any of its values."""

    screen: Screen
    text: tuple[str, ...] = ()
    css: tuple[str, ...] = ()
    css_text: tuple[str, ...] = ()
    """Texts of which one must be inside an element that `css` finds."""
    script: str | None = None
    url: str | None = None
    title: str | None = None
    unless_text: tuple[str, ...] = ()
    unless_css: tuple[str, ...] = ()
    when: Literal["always", "before_inside", "after_inside"] = "always"
    source: tuple[str, ...]
    trust: Literal["vendor", "many", "one", "own"]
    note: str = ""

    @field_validator("text", "css_text", "unless_text")
    @classmethod
    def _plain(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(plain, value))

    def is_in(self, reading: Reading) -> bool:
        """True if the page shows this sign."""
        if any(text in reading.text for text in self.unless_text) or any(it in reading.found for it in self.unless_css):
            return False
        return all(check for check in self._checks(reading))

    def _checks(self, reading: Reading) -> Iterable[bool]:
        if self.text:
            yield any(text in reading.text for text in self.text)
        if self.css:
            yield self._css_is_in(reading)
        if self.script:
            yield bool(reading.scripts.get(self.script))
        if self.url:
            yield re.search(self.url, reading.url) is not None
        if self.title:
            yield re.search(self.title, reading.title) is not None

    def _css_is_in(self, reading: Reading) -> bool:
        shown = [plain(text) for selector in self.css for text in reading.found.get(selector, ())]
        if not self.css_text:
            return bool(shown)
        return any(wanted in text for text in shown for wanted in self.css_text)


class Goal(_Data):
    """Something to click or fill."""

    css: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    source: tuple[str, ...]
    trust: Literal["vendor", "many", "one", "own"]
    note: str = ""

    @property
    def target(self) -> Target:
        return Target(css=self.css, text=self.text)


class Reader(_Data):
    """A script that reads something of a meeting out of its page."""

    script: str
    source: tuple[str, ...]
    trust: Literal["vendor", "many", "one", "own"]
    note: str = ""


class Prompt(_Data):
    """A dialog in the way: a sign, and what to click."""

    sign: Annotated[Sign, Field(description="how it is recognised")]
    click: Goal


class PlatformData(_Data):
    """Everything that is known of one platform's pages."""

    signs: tuple[Sign, ...]
    prompts: tuple[Prompt, ...] = ()
    name: Goal | None = None
    join: Goal
    launcher: Goal | None = None
    passcode: Goal | None = None
    passcode_submit: Goal | None = None
    microphone_off: Goal | None = None
    """A control that is only there while the microphone is on."""
    camera_off: Goal | None = None
    leave: tuple[Goal, ...]
    """Clicked one after the other."""
    participants: Reader | None = None
    """The names of the others, as a list, or None while unknown."""
    speaker: Reader | None = None
    """The name of who speaks, or None."""
    captions: Reader | None = None
    """The captions that are shown, as a list of [key, name or None, text]; a key stays while its caption is shown."""
    captions_on: tuple[Goal, ...] = ()
    """Clicked one after the other to have captions shown to the bot."""

    @cached_property
    def query(self) -> Query:
        """What must be looked for to recognise every screen, and to know who is there: all of it in one look."""
        signs = [*self.signs, *(prompt.sign for prompt in self.prompts)]
        css = dict.fromkeys(selector for sign in signs for selector in (*sign.css, *sign.unless_css))
        readers = [reader.script for reader in (self.participants, self.speaker, self.captions) if reader]
        asked = [*readers, LOUDNESS, *(sign.script for sign in signs)]
        return Query(css=tuple(css), scripts=tuple(dict.fromkeys(script for script in asked if script)))

    def read(self, what: Literal["participants", "speaker", "captions"], reading: Reading) -> Any:
        """What a reader found; None if this platform has no such reader."""
        reader: Reader | None = getattr(self, what)
        return reading.scripts.get(reader.script) if reader else None

    def screen(self, reading: Reading, *, was_inside: bool) -> Screen:
        """What the page shows. After admission the sign of being inside outweighs every text on the page."""
        shown = self.shown(reading, was_inside=was_inside)
        if was_inside and Screen.INSIDE in shown:
            return Screen.INSIDE
        return next((screen for screen in Screen if screen in shown), Screen.UNKNOWN)

    def shown(self, reading: Reading, *, was_inside: bool) -> set[Screen]:
        """Every screen of which there is a sign."""
        shown = {sign.screen for sign in self.signs if _applies(sign, was_inside) and sign.is_in(reading)}
        return {*shown, Screen.PROMPT} if self.prompt(reading) else shown

    def prompt(self, reading: Reading) -> Prompt | None:
        """The dialog that is in the way."""
        return next((prompt for prompt in self.prompts if prompt.sign.is_in(reading)), None)


def _applies(sign: Sign, was_inside: bool) -> bool:
    return sign.when == "always" or (sign.when == "after_inside") is was_inside


def load(name: str) -> PlatformData:
    """The data of one platform, from the file beside its module."""
    text = (files("usher_bot.drivers.browser.platforms") / f"{name}.toml").read_text(encoding="utf-8")
    return PlatformData.model_validate(tomllib.loads(text))
