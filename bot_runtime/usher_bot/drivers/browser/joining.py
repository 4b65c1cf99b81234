"""From the first page into the meeting: look, recognise the screen, do the one thing that it asks for, look again.

No step is taken for granted: a click counts only when the next look shows another screen. A screen that ends the
way in must be there in two looks in a row, so that a page that is being redrawn is not believed; and for longer than a
toast while the lobby or the meeting is there as well.
"""

import logging
from dataclasses import dataclass

from usher_bot.clock import Clock
from usher_bot.drivers.base import NotJoined, ReportStage
from usher_bot.drivers.browser.evidence import Evidence
from usher_bot.drivers.browser.page import Page, PageSilent, Reading
from usher_bot.drivers.browser.platforms import Guest, Site
from usher_bot.drivers.browser.signs import FINAL, Goal, Screen
from usher_bot.exit_codes import BotReason, Outcome, ended
from usher_models.states import Stage

LOOK_EVERY_S = 0.5
PRESS_AGAIN_S = 5.0
TOAST_S = 8.0

_REASONS = {
    Screen.BLOCKED: BotReason.BLOCKED_BY_PLATFORM,
    Screen.CAPTCHA: BotReason.CAPTCHA_SHOWN,
    Screen.SIGN_IN: BotReason.SIGN_IN_NEEDED,
    Screen.NOT_FOUND: BotReason.MEETING_NOT_FOUND,
    Screen.FULL_OR_LOCKED: BotReason.MEETING_FULL_OR_LOCKED,
    Screen.PASSCODE_WRONG: BotReason.PASSCODE_WRONG,
    Screen.DENIED: BotReason.ADMISSION_DENIED,
    Screen.LOBBY_TIMEOUT: BotReason.ADMISSION_TIMEOUT,
    Screen.REMOVED: BotReason.EVICTED_FROM_MEETING,
    Screen.ENDED: BotReason.MEETING_ENDED,
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long the bot looks for its way, and how long it waits to be let in."""

    way_s: float
    lobby_s: float


class Joining:
    """One way in."""

    def __init__(
        self, page: Page, *, site: Site, guest: Guest, patience: Patience, evidence: Evidence, clock: Clock
    ) -> None:
        self._page = page
        self._site = site
        self._data = site.data
        self._guest = guest
        self._patience = patience
        self._evidence = evidence
        self._clock = clock
        self._screen = Screen.UNKNOWN
        self._since = clock.now()
        self._began = clock.now()
        self._pressed: dict[Screen, float] = {}
        self._gave_passcode = False

    async def join(self, report_stage: ReportStage) -> None:
        """Return once the bot is inside. Raises NotJoined."""
        while True:
            reading = await self._look()
            self._note(self._data.screen(reading, was_inside=False))
            if self._screen is Screen.INSIDE:
                return
            if self._screen in FINAL and self._is_certain(reading):
                raise NotJoined(ended(_REASONS[self._screen]))
            if self._screen in (Screen.LOBBY, Screen.NOT_STARTED):
                report_stage(Stage.LOBBY)
            await self._act(reading)
            await self._give_up_in_time(reading)
            await self._clock.sleep(LOOK_EVERY_S)

    async def _look(self) -> Reading:
        try:
            return await self._page.look(self._data.query)
        except PageSilent:
            return Reading()

    def _is_certain(self, reading: Reading) -> bool:
        """True if the screen has been there for so long that it is neither a redrawn page nor a toast."""
        goes_on = self._data.shown(reading, was_inside=False) & {Screen.LOBBY, Screen.INSIDE}
        return self._clock.now() - self._since >= (TOAST_S if goes_on else LOOK_EVERY_S)

    def _note(self, screen: Screen) -> None:
        if screen is not self._screen:
            logger.info("The page shows: %s.", screen, extra={"action": "screen_seen", "screen": screen})
            self._since = self._clock.now()
        self._screen = screen

    async def _act(self, reading: Reading) -> None:
        try:
            if self._screen is Screen.PROMPT:
                await self._dismiss(reading)
            elif self._screen is Screen.LAUNCHER:
                await self._press(self._data.launcher)
            elif self._screen is Screen.PASSCODE:
                await self._give_passcode()
            elif self._screen is Screen.PREJOIN:
                await self._ask_to_join()
        except PageSilent:
            logger.info("The page did not let itself be used.", extra={"action": "page_silent"})

    async def _dismiss(self, reading: Reading) -> None:
        if prompt := self._data.prompt(reading):
            await self._page.click(prompt.click.target)

    async def _ask_to_join(self) -> None:
        if not self._may_press():
            return
        for control in (self._data.microphone_off, self._data.camera_off):
            if control:
                await self._page.click(control.target)
        if self._data.name:
            await self._page.fill(self._data.name.target, self._guest.name)
        await self._press(self._data.join)

    async def _give_passcode(self) -> None:
        if not self._may_press() or self._data.passcode is None:
            return
        if not self._guest.passcode:
            raise NotJoined(ended(BotReason.PASSCODE_NEEDED))
        if self._gave_passcode:
            raise NotJoined(ended(BotReason.PASSCODE_WRONG))
        if self._data.name:
            await self._page.fill(self._data.name.target, self._guest.name)
        if await self._page.fill(self._data.passcode.target, self._guest.passcode):
            self._gave_passcode = await self._press(self._data.passcode_submit)

    async def _press(self, goal: Goal | None) -> bool:
        """Click, but not again before the page had time to show what the click did."""
        if goal is None or not self._may_press():
            return False
        pressed = await self._page.click(goal.target)
        if pressed:
            self._pressed[self._screen] = self._clock.now()
        return pressed

    def _may_press(self) -> bool:
        pressed_at = self._pressed.get(self._screen)
        return pressed_at is None or self._clock.now() - pressed_at >= PRESS_AGAIN_S

    async def _give_up_in_time(self, reading: Reading) -> None:
        if self._screen in (Screen.LOBBY, Screen.NOT_STARTED):
            self._began = self._clock.now() - self._patience.way_s / 2  # from the lobby the rest of the way is short
            if self._clock.now() - self._since >= self._patience.lobby_s:
                raise NotJoined(self._unadmitted())
        elif self._clock.now() - self._began >= self._patience.way_s:
            raise NotJoined(await self._lost(reading))

    def _unadmitted(self) -> Outcome:
        not_started = self._screen is Screen.NOT_STARTED
        return ended(BotReason.MEETING_NOT_STARTED if not_started else BotReason.ADMISSION_TIMEOUT)

    async def _lost(self, reading: Reading) -> Outcome:
        detail = await self._evidence.keep(self._page, reading, screen=self._screen)
        return ended(BotReason.UNKNOWN_PAGE, detail=detail)
