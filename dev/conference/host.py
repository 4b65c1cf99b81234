"""A person in the meeting: a browser of their own, which admits, denies, removes, ends and speaks."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page, async_playwright

from dev.machine.errors import DevError
from usher_bot.drivers.browser.chromium.browser import TAP

FLAGS = (
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-gpu",
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
PATIENCE_MS = 60_000


@dataclass
class Host:
    """The moderator of one room. `kind` is whose pages: jitsi or conference."""

    page: Page
    kind: str
    url: str
    room: str

    async def come(self, name: str = "Host") -> None:
        """Open the room and be its moderator."""
        if self.kind == "jitsi":
            await self.page.goto(f"{self.url}/{self.room}")
            await self.page.locator("#premeeting-name-input").fill(name)
            await self.page.get_by_test_id("prejoin.joinMeeting").click()
            await self.page.wait_for_function("APP.conference.isJoined()", timeout=PATIENCE_MS)
        else:
            await self.page.goto(f"{self.url}/m/{self.room}?host")
            await self.page.locator("input#username").fill(name)
            await self.page.get_by_role("button", name="Join meeting").click()
            await self.page.get_by_test_id("screen.meeting").wait_for(timeout=PATIENCE_MS)

    async def is_asked(self, name: str) -> None:
        """Wait until the page shows that a guest waits."""
        await self._admission(name).wait_for(timeout=PATIENCE_MS)

    async def admit(self, name: str) -> None:
        """Let a guest in, by the page's own button."""
        await self._admission(name).click(timeout=PATIENCE_MS)

    async def deny(self, name: str) -> None:
        """Turn a guest away."""
        if self.kind == "jitsi":
            await self.page.get_by_role("button", name="Reject").first.click(timeout=PATIENCE_MS)
        else:
            await self.page.get_by_test_id(f"deny.{name}").click(timeout=PATIENCE_MS)

    async def remove(self, name: str) -> None:
        """Put a participant out."""
        guest = await self._who(name)
        await self.call("remove", who=guest)

    async def end(self) -> None:
        """End the meeting for all."""
        await self.call("end")

    async def set_microphone(self, *, on: bool) -> None:
        """Mute or unmute, by the page's own button."""
        button = self._microphone()
        if await self._is_on(button) is not on:
            await button.click(timeout=PATIENCE_MS)

    async def chat(self, texts: Iterable[str]) -> None:
        """Write into the meeting's chat as fast as the page takes it. Our own pages only: Jitsi's have none here."""
        toggle = self.page.locator(".lk-control-bar .lk-chat-toggle")
        await toggle.click(timeout=PATIENCE_MS)
        for text in texts:
            await self.page.locator(".lk-chat-form-input").fill(text, timeout=PATIENCE_MS)
            await self.page.locator(".lk-chat-form-button").click(timeout=PATIENCE_MS)
        await toggle.click(timeout=PATIENCE_MS)

    async def come_by(self, names: Iterable[str]) -> None:
        """Others come at once, from tabs of their own, and go again at once."""
        await asyncio.gather(*(self._visit(name) for name in names))

    async def leave(self) -> None:
        """Go, and leave the rest alone."""
        await self.page.close()

    async def set_door(self, **door: Any) -> None:
        """Say what the room asks of guests."""
        await self.call("door", **door)

    async def names(self) -> list[str]:
        """Who is connected, inside or in the lobby."""
        return [it["name"] for it in (await self.call("participants"))["participants"]]

    async def sees_no(self, name: str) -> None:
        """Wait until that participant is gone."""
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while name in await self.names():
                await asyncio.sleep(0.1)

    async def loudest(self, *, seconds: float) -> float:
        """The loudest moment of what the others say, in the next seconds."""
        levels = []
        for _ in range(int(seconds * 10)):
            levels.append(float(await self.page.evaluate("window.__usherTap.level()")))
            await asyncio.sleep(0.1)
        return max(levels)

    async def call(self, verb: str, **body: Any) -> Any:
        """Ask the conference's server."""
        answer = await self.page.request.post(f"{self.url}/api/{self.room}/{verb}", data=body)
        if not answer.ok:
            raise DevError(f"The conference answers {verb} with {answer.status}: {await answer.text()}")
        return await answer.json()

    def _admission(self, name: str) -> Locator:
        """The button that lets a guest in; Jitsi's has no name of its own."""
        if self.kind == "jitsi":
            return self.page.get_by_role("button", name="Admit").first
        return self.page.get_by_test_id(f"admit.{name}")

    async def _visit(self, name: str) -> None:
        page = await self.page.context.new_page()
        try:
            await Host(page=page, kind=self.kind, url=self.url, room=self.room).come(name)
        finally:
            await page.close()

    def _microphone(self) -> Locator:
        if self.kind == "jitsi":
            return self.page.locator('[aria-label="Mute microphone"], [aria-label="Unmute microphone"]').first
        return self.page.locator('button.lk-button[data-lk-source="microphone"]')

    async def _is_on(self, button: Locator) -> bool:
        if self.kind == "jitsi":
            return await button.get_attribute("aria-label", timeout=PATIENCE_MS) == "Mute microphone"
        return await button.get_attribute("data-lk-enabled", timeout=PATIENCE_MS) == "true"

    async def _who(self, name: str) -> str:
        found = (await self.call("participants"))["participants"]
        return next(str(it["who"]) for it in found if it["name"] == name)


@asynccontextmanager
async def a_host(*, kind: str, url: str, room: str, pin: str, voice: Path) -> AsyncIterator[Host]:
    """A host whose browser runs as long as the block."""
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={voice}", f"--ignore-certificate-errors-spki-list={pin}"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        try:
            context = await browser.new_context(locale="en-US", ignore_https_errors=True)
            await context.add_init_script(TAP)
            yield Host(page=await context.new_page(), kind=kind, url=url, room=room)
        finally:
            await browser.close()
