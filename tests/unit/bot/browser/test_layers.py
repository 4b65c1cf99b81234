"""The tool stays a choice: one package knows Playwright, and platforms know neither it nor the page."""

import re
from pathlib import Path

import usher_bot.drivers.browser as package

ROOT = Path(package.__path__[0])


def importers(pattern: str, folder: Path = ROOT) -> set[str]:
    """The modules below a folder that import what the pattern names."""
    wanted = re.compile(rf"^\s*(?:from|import) {pattern}", re.MULTILINE)
    return {str(path.relative_to(ROOT)) for path in folder.rglob("*.py") if wanted.search(path.read_text())}


def test_one_package_knows_playwright() -> None:
    assert importers("playwright") == {"chromium/browser.py", "chromium/page.py"}


def test_only_the_wiring_chooses_it() -> None:
    assert importers(r"usher_bot\.drivers\.browser\.chromium") == {"wiring.py", "chromium/browser.py"}


def test_platforms_are_addresses_and_data() -> None:
    assert importers(r"usher_bot\.drivers\.browser\.(?:page|driver|joining|staying)", ROOT / "platforms") == set()
