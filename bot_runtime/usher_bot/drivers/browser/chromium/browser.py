"""One browser: its start, with its own sandbox where the pod allows it, and its end, whatever state it is in."""

import asyncio
import json
import logging
import os
import signal
import tempfile
import wave
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Playwright, async_playwright

from usher_bot.drivers.browser.chromium.page import ChromiumPage
from usher_bot.drivers.browser.flags import ALWAYS
from usher_bot.drivers.browser.orphans import reap
from usher_bot.drivers.browser.page import BrowserFailed, Page

LAUNCH_S = 30.0
CLOSE_S = 3.0
NO_SANDBOX = "No usable sandbox"

TAP = (files("usher_bot.drivers.browser") / "tap.js").read_text(encoding="utf-8")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How to start Chromium."""

    program: Path
    headless: bool = True
    sandbox: str = "auto"
    flags: Sequence[str] = ()
    locale: str = "en-US"
    sound: Mapping[str, str] = field(default_factory=dict)
    """What leads to a sound server, in the environment; without it nothing is audible."""


@dataclass
class Chromium:
    """One browser, from `start` to `stop`."""

    launch: Launch
    sandboxed: bool = False
    _playwright: Playwright | None = field(default=None, init=False)
    _browser: PlaywrightBrowser | None = field(default=None, init=False)
    pid: int | None = field(default=None, init=False)
    _reaping: asyncio.Task[None] | None = field(default=None, init=False)

    async def start(self) -> Page:
        if os.getpid() == 1:
            self._reaping = asyncio.create_task(reap())
        try:
            async with asyncio.timeout(2 * LAUNCH_S):
                self._playwright = await async_playwright().start()
                self._browser = await self._launch(self._playwright)
                self.pid = await _process_id(self._browser)
                return await self._new_page(self._browser)
        except (TimeoutError, PlaywrightError, OSError) as exc:
            raise BrowserFailed(f"Chromium did not start: {_reason(exc)}") from exc

    async def stop(self) -> None:
        if self._reaping:
            self._reaping.cancel()
        if self._browser:
            with suppress(TimeoutError, PlaywrightError):
                async with asyncio.timeout(CLOSE_S):
                    await self._browser.close()
        self._kill()
        if self._playwright:
            with suppress(TimeoutError, PlaywrightError):
                async with asyncio.timeout(CLOSE_S):
                    await self._playwright.stop()

    async def _launch(self, playwright: Playwright) -> PlaywrightBrowser:
        if self.launch.sandbox != "off":
            try:
                browser = await self._launch_once(playwright, sandbox=True)
            except PlaywrightError as exc:
                if self.launch.sandbox == "on" or not _lacks_sandbox(exc):
                    raise
                logger.warning("Chromium runs without its own sandbox.", extra={"action": "sandbox_unavailable"})
            else:
                self.sandboxed = True
                return browser
        return await self._launch_once(playwright, sandbox=False)

    async def _launch_once(self, playwright: Playwright, *, sandbox: bool) -> PlaywrightBrowser:
        return await playwright.chromium.launch(
            executable_path=self.launch.program,
            headless=self.launch.headless,
            chromium_sandbox=sandbox,
            args=[*ALWAYS, f"--use-file-for-fake-audio-capture={_silence()}", *self.launch.flags],
            env={**os.environ, **self.launch.sound} if self.launch.sound else None,
            ignore_default_args=["--mute-audio"] if self.launch.sound else None,
            timeout=LAUNCH_S * 1000,
            # The bot handles signals: it leaves the meeting first.
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )

    async def _new_page(self, browser: PlaywrightBrowser) -> Page:
        context = await browser.new_context(locale=self.launch.locale, viewport={"width": 1280, "height": 720})
        await context.add_init_script(TAP)
        return ChromiumPage(await context.new_page(), context=context, browser=browser)

    def _kill(self) -> None:
        """End what is left of the browser: one that hangs does not close."""
        if self.pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                if os.getpgid(self.pid) == self.pid:
                    os.killpg(self.pid, signal.SIGKILL)


def _silence() -> Path:
    """A second of silence, for the microphone."""
    path = Path(tempfile.gettempdir()) / f"usher-silence-{os.getuid()}.wav"
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}")
        with wave.open(str(unfinished), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(48_000)
            file.writeframes(bytes(2 * 48_000))
        unfinished.replace(path)
    return path


async def _process_id(browser: PlaywrightBrowser) -> int | None:
    session = await browser.new_browser_cdp_session()
    found = await session.send("SystemInfo.getProcessInfo")
    await session.detach()
    return next((int(process["id"]) for process in found["processInfo"] if process["type"] == "browser"), None)


def _lacks_sandbox(exc: PlaywrightError) -> bool:
    return NO_SANDBOX in exc.message or "running as root without --no-sandbox" in exc.message.lower()


def _reason(exc: BaseException) -> str:
    words = str(exc).splitlines() or [type(exc).__name__]
    told = next((line for line in words if "ERROR" in line or "error" in line.lower()), words[0])
    return json.dumps(told[:300])
