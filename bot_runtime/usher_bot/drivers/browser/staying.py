"""In the meeting: who is there, whether the bot still is, and when it should leave by itself.

The sign of being inside outweighs every text, because a chat or a toast may say anything. Only when that sign is
gone in several looks in a row does the bot ask the page why; a page that gives no reason for long is a lost one.
"""

import logging
import re
from dataclasses import dataclass

from usher_bot.clock import Clock
from usher_bot.drivers.browser.captions import Captions, Said
from usher_bot.drivers.browser.options import BrowserOptions
from usher_bot.drivers.browser.page import Page, PageSilent, Reading
from usher_bot.drivers.browser.platforms import Site
from usher_bot.drivers.browser.signs import Screen
from usher_bot.drivers.browser.sound.recorder import Recorder
from usher_bot.exit_codes import EVICTED, MEETING_ENDED, BotReason, Outcome, ended

LOOK_EVERY_S = 1.0
MISSES = 3
UNEXPLAINED_S = 20.0
CAPTION_ATTEMPTS = 10
QUIET = 0.003  # the loudness of a room in which no one speaks

logger = logging.getLogger(__name__)


@dataclass
class Company:
    """The others in the meeting, and since when a reason to leave holds."""

    options: BrowserOptions
    began: float
    names: tuple[str, ...] | None = None
    _had_company: bool = False
    _since: tuple[BotReason, float] | None = None
    _sound_at: float = 0.0

    def note(self, names: list[str] | None, *, loudness: float, now: float) -> Outcome | None:
        """Take in who is there and how loud it is; the outcome once the bot should leave."""
        self.names = None if names is None else tuple(names)
        self._had_company = self._had_company or bool(names)
        if loudness > QUIET or not self._sound_at:
            self._sound_at = now
        if self.options.silence_s and now - self._sound_at >= self.options.silence_s:
            return ended(BotReason.MEETING_SILENT)
        return self._lonely(now) if names is not None else None

    def _lonely(self, now: float) -> Outcome | None:
        reason, limit_s = self._reason()
        if reason is None or not limit_s:
            self._since = None
            return None
        if self._since is None or self._since[0] is not reason:
            self._since = (reason, now)
        return ended(reason) if now - self._since[1] >= limit_s else None

    def _reason(self) -> tuple[BotReason | None, float]:
        people = [name for name in self.names or () if not re.search(self.options.bot_names, name)]
        if people:
            return None, 0
        if self.names:
            return BotReason.ONLY_BOTS_LEFT, self.options.only_bots_s
        if self._had_company:
            return BotReason.LEFT_ALONE, self.options.alone_s
        return BotReason.NOBODY_CAME, self.options.nobody_came_s


class Staying:
    """One stay."""

    def __init__(self, page: Page, *, site: Site, options: BrowserOptions, recorder: Recorder, clock: Clock) -> None:
        self._page = page
        self._recorder = recorder
        self._speaker: str | None = None
        self._captions = Captions()
        self._attempts_left = CAPTION_ATTEMPTS if options.captions and site.data.captions_on else 0
        self._data = site.data
        self._clock = clock
        self._company = Company(options, began=clock.now())
        self._misses = 0
        self._missing_since = 0.0

    @property
    def participants(self) -> int | None:
        """How many others are in the meeting, if the page shows it."""
        return None if self._company.names is None else len(self._company.names)

    async def stay(self) -> Outcome:
        """Return when the meeting is over for the bot, and how."""
        while True:
            outcome = await self._look_once()
            if outcome:
                return outcome
            await self._clock.sleep(LOOK_EVERY_S)

    def finish(self) -> None:
        """Hand on what was said last, before the recording ends."""
        self._hand_on(self._captions.rest())

    async def _look_once(self) -> Outcome | None:
        try:
            reading = await self._page.look(self._data.query)
            if self._data.screen(reading, was_inside=True) is not Screen.INSIDE:
                return self._explain(reading)
            self._misses = 0
            if prompt := self._data.prompt(reading):
                await self._page.click(prompt.click.target)
            self._note_speaker(reading)
            self._note_captions(reading)
            await self._show_captions()
            return self._count(reading)
        except PageSilent:
            return None

    def _note_speaker(self, reading: Reading) -> None:
        speaker = self._data.read("speaker", reading)
        if speaker and speaker != self._speaker:
            self._recorder.note("speaker", name=str(speaker))
        self._speaker = speaker or self._speaker

    def _note_captions(self, reading: Reading) -> None:
        self._hand_on(self._captions.note(self._data.read("captions", reading), now=self._clock.now()))

    def _hand_on(self, said: list[Said]) -> None:
        for it in said:
            self._recorder.note("caption", ago_s=self._clock.now() - it.began, name=it.name, text=it.text)

    async def _show_captions(self) -> None:
        """Have the page show captions to the bot, where the class wants it; a few attempts, as controls come late."""
        if not self._attempts_left:
            return
        self._attempts_left -= 1
        clicked = [await self._page.click(goal.target) for goal in self._data.captions_on]
        if clicked and all(clicked):
            self._attempts_left = 0
            logger.info("The page was asked for captions.", extra={"action": "captions_asked"})

    def _count(self, reading: Reading) -> Outcome | None:
        names = self._data.read("participants", reading)
        known = [str(name) for name in names] if isinstance(names, list) else None
        return self._company.note(known, loudness=self._recorder.loudness(reading), now=self._clock.now())

    def _explain(self, reading: Reading) -> Outcome | None:
        """Why the sign of being inside is gone; None until it is known."""
        self._misses += 1
        if self._misses == 1:
            self._missing_since = self._clock.now()
        if self._misses < MISSES:
            return None
        screen = self._data.screen(reading, was_inside=True)
        if screen in (Screen.REMOVED, Screen.ENDED):
            return EVICTED if screen is Screen.REMOVED else MEETING_ENDED
        if self._clock.now() - self._missing_since < UNEXPLAINED_S:
            return None
        return ended(BotReason.NETWORK_LOST, detail=f"The meeting is gone from the page, which shows: {screen}.")
