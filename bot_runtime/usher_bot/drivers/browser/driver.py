"""The browser driver: one visit of a real browser to a real meeting."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from usher_bot.clock import Clock, first_of
from usher_bot.drivers.base import NotJoined, ReportStage
from usher_bot.drivers.browser.evidence import Evidence
from usher_bot.drivers.browser.joining import Joining, Patience
from usher_bot.drivers.browser.liveness import Liveness
from usher_bot.drivers.browser.options import BrowserOptions
from usher_bot.drivers.browser.page import Browser, BrowserFailed, Death, Page, PageSilent
from usher_bot.drivers.browser.platforms import Guest, find_site
from usher_bot.drivers.browser.sound.options import make_feed
from usher_bot.drivers.browser.sound.recorder import Recorder
from usher_bot.drivers.browser.sound.source import Source
from usher_bot.drivers.browser.staying import Staying
from usher_bot.exit_codes import BotReason, Outcome, ended
from usher_bot.redaction import Redactor
from usher_bot.settings import Settings
from usher_models.states import Stage
from usher_models.wire import Command

AHEAD_S = 1.0
AFTER_CLICK_S = 0.7

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Died(Exception):
    """The page died under the bot."""

    def __init__(self, death: Death) -> None:
        super().__init__(death)
        self.outcome = ended(BotReason(death))


class BrowserDriver:
    """Joins with `browser`, which tests replace."""

    def __init__(
        self, options: BrowserOptions, *, settings: Settings, browser: Browser, source: Source, clock: Clock
    ) -> None:
        self._options = options
        self._settings = settings
        self.browser = browser
        self._clock = clock
        self._source = source
        self._site = find_site(options.site_of(str(settings.platform)))
        self.page: Page | None = None
        self._liveness: Liveness | None = None
        self._staying: Staying | None = None
        feeds = [make_feed(sink, settings=settings, suffix=source.suffix) for sink in options.sinks]
        self._recorder = Recorder(source, feeds)
        self._is_out = False

    @property
    def participants(self) -> int | None:
        return self._staying.participants if self._staying else None

    @property
    def is_alive(self) -> bool:
        """True if a heartbeat may go out: the page answers, or there is none yet."""
        return self._liveness is None or self._liveness.is_fresh

    async def join(self, report_stage: ReportStage) -> None:
        try:
            await self._source.open()
            self.page = await self.browser.start()
        except BrowserFailed as exc:
            raise NotJoined(ended(BotReason.BROWSER_FAILED, detail=str(exc))) from exc
        logger.info("The browser runs.", extra={"action": "browser_started", "sandboxed": self.browser.sandboxed})
        report_stage(Stage.JOINING)
        await self._recorder.prepare(self.page)
        try:
            await self._unless_dead(self._enter(self.page, report_stage))
        except Died as exc:
            self._is_out = True
            raise NotJoined(exc.outcome) from exc
        except NotJoined as exc:
            self._is_out = not exc.outcome.leaves
            raise

    async def run(self) -> Outcome:
        self._staying = Staying(
            self._opened(), site=self._site, options=self._options, recorder=self._recorder, clock=self._clock
        )
        await self._recorder.start()
        try:
            outcome = await self._unless_dead(self._staying.stay())
        except Died as exc:
            outcome = exc.outcome
        self._is_out = not outcome.leaves
        return outcome

    async def leave(self) -> None:
        try:
            if self._staying:
                self._staying.finish()
            await self._recorder.stop()
            if self.page and not self._is_out and not self.page.death.done():
                await self._press_leave(self.page)
        finally:
            self._is_out = True
            await self._close()

    async def reconfigure(self, command: Command) -> None:
        """A browser bot has nothing to set anew; what listens to its sound hears of it by its own ways."""

    async def _close(self) -> None:
        try:
            await self.browser.stop()
        finally:
            await self._source.close()

    def _opened(self) -> Page:
        if self.page is None:
            raise BrowserFailed("The browser was not started.")
        return self.page

    async def _enter(self, page: Page, report_stage: ReportStage) -> None:
        guest = self._guest()
        with suppress(PageSilent):  # what the page shows, or does not, tells more than the failure of its loading
            await page.open(self._site.address(guest))
        joining = Joining(
            page, site=self._site, guest=guest, patience=self._patience(), evidence=self._evidence(), clock=self._clock
        )
        await joining.join(report_stage)

    async def _unless_dead(self, way: Coroutine[Any, Any, T]) -> T:
        """The result of `way`. Raises Died as soon as the page is dead."""
        self._liveness = self._liveness or Liveness(
            self._opened(), hung_s=self._options.hung_s, network_s=self._options.network_s, clock=self._clock
        )
        going, dying = asyncio.ensure_future(way), asyncio.ensure_future(self._liveness.death())
        try:
            await first_of(going, dying)
            if not going.done():
                raise Died(dying.result())
            return going.result()
        finally:
            going.cancel()
            dying.cancel()

    async def _press_leave(self, page: Page) -> None:
        """Leave by the platform's own button, so that the others see it at once."""
        for goal in self._site.data.leave:
            with suppress(PageSilent):
                if await page.click(goal.target):
                    await self._clock.sleep(AFTER_CLICK_S)

    def _guest(self) -> Guest:
        passcode = self._settings.passcode.get_secret_value() if self._settings.passcode else None
        return Guest(url=self._settings.meeting_url.get_secret_value(), name=self._settings.bot_name, passcode=passcode)

    def _patience(self) -> Patience:
        """A moment less than the bot's own limit, so that the reason is the page's."""
        lobby_s = min(self._options.lobby_s or self._site.lobby_s, self._settings.lobby_timeout_s)
        return Patience(way_s=self._options.join_s, lobby_s=max(AHEAD_S, lobby_s - AHEAD_S))

    def _evidence(self) -> Evidence:
        return Evidence(folder=self._options.evidence, redactor=Redactor(self._settings.secrets))
