"""What is kept of a page that the bot does not know: its visible texts in the report, and a picture in a folder.

A page may show a passcode, an address or a name: everything that the bot knows to be secret is masked, and an
address loses its query.
"""

import logging
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from usher_bot.drivers.browser.page import Page, PageSilent, Reading
from usher_bot.drivers.browser.signs import Screen
from usher_bot.redaction import Redactor

TEXT_LENGTH = 600
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")

logger = logging.getLogger(__name__)


class Evidence:
    """Keeps what a person needs to teach the bot a new page."""

    def __init__(self, *, folder: Path | None, redactor: Redactor) -> None:
        self._folder = folder
        self._redactor = redactor

    async def keep(self, page: Page, reading: Reading, *, screen: Screen) -> str:
        """Keep a picture, and return what the report says."""
        parts = urlsplit(reading.url)
        where = f"{parts.hostname or 'no host'}{self._redactor.clean(parts.path)}"
        text = _ADDRESS.sub("***", self._redactor.clean(reading.text))[:TEXT_LENGTH]
        picture = await self._keep_picture(page)
        told = f"The screen was {screen} at {where}, titled {reading.title[:80]!r}."
        return f"{told}{picture} It says: {text}"

    async def _keep_picture(self, page: Page) -> str:
        if self._folder is None:
            return ""
        path = self._folder / "unknown-page.png"
        with suppress(PageSilent, OSError):
            picture = await page.picture()
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture)
            return f" A picture is in {path}."
        return ""
