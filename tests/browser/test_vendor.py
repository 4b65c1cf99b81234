"""What the driver believes of Jitsi is in Jitsi's own files: every text and every id, in the pinned package."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.conference import pages
from usher_bot.drivers.browser.page import plain
from usher_bot.drivers.browser.platforms import find_site
from usher_bot.drivers.browser.signs import Goal, Sign

DATA = find_site("jitsi").data
GOALS = [goal for goal in (DATA.name, DATA.join, DATA.passcode, DATA.passcode_submit, *DATA.leave) if goal]


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vendor's sources."""
    work = tmp_path_factory.mktemp("jitsi")
    return pages.unpack_jitsi(work, log=work / "npm.log")


@pytest.fixture(scope="module")
def texts(sdk: Path) -> list[str]:
    """Every English text of the vendor's."""
    return [plain(text) for text in _values(json.loads((sdk / "lang" / "main.json").read_text()))]


@pytest.fixture(scope="module")
def sources(sdk: Path) -> str:
    """The components of the web client."""
    found = [path.read_text() for path in (sdk / "react").rglob("*.ts*") if ".native." not in path.name]
    return "\n".join(found)


@pytest.mark.parametrize("sign", [sign for sign in DATA.signs if sign.text], ids=lambda sign: str(sign.screen))
def test_every_text_is_the_vendor_s(sign: Sign, texts: list[str]) -> None:
    for text in sign.text:
        assert any(text in known for known in texts), text


@pytest.mark.parametrize("known", [*GOALS, *(sign for sign in DATA.signs if sign.css)])
def test_every_id_is_the_vendor_s(known: Goal | Sign, sources: str, texts: list[str]) -> None:
    for selector in known.css:
        for name in _names(selector):
            assert f"'{name}'" in sources or f'"{name}"' in sources or plain(name) in texts, name


def test_what_the_scripts_read_is_in_the_vendor_s_store(sources: str) -> None:
    readers = [reader.script for reader in (DATA.participants, DATA.speaker, DATA.captions) if reader]
    scripts = " ".join([*readers, *(sign.script or "" for sign in DATA.signs)])
    for feature in re.findall(r"features/[\w-]+(?:/[\w-]+)*", scripts):
        assert feature in sources
    for field in ("knocking", "dominantSpeaker", "remote", "_transcriptMessages", "unstable", "stable", "final"):
        assert re.search(rf"\b{field}\b", sources)


def _names(selector: str) -> Iterator[str]:
    yield from re.findall(r'="([^"]+)"', selector)
    yield from re.findall(r"#([\w-]+)", re.sub(r'"[^"]*"', "", selector))


def _values(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from _values(value)
    elif isinstance(node, str):
        yield node
