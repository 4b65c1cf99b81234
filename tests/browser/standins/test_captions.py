"""Who speaks and what is said, as the stand-ins show it: in the sink's events, in order, each word once."""

import asyncio
import json
from pathlib import Path

import pytest

from dev.conference.settings import Settings
from tests.browser.guest import PATIENCE_S, a_guest
from tests.browser.standins.cases import PLATFORMS, Case
from tests.browser.standins.test_matrix import set_scenario

TALK = [
    ["Ada", "so the plan is to ship on Friday"],
    ["Bob", "that works for me"],
    ["Ada", "any other questions then"],
]


@pytest.fixture(params=sorted(PLATFORMS))
def platform(request: pytest.FixtureRequest) -> str:
    """Whose pages."""
    return str(request.param)


async def test_speakers_and_captions_reach_the_sink(
    platform: str, conference: Settings, pin: str, tmp_path: Path
) -> None:
    url = Case(platform, "talk", "inside").url()
    steps = {"steps": ["inside"], "people": ["Ada", "Bob"], "talk": [["Ada", "hm"] for _ in range(3)] + TALK}
    await set_scenario(conference, url, steps)
    sinks = [{"kind": "file", "path": str(tmp_path / "meeting.webm")}]
    bot = a_guest(
        url=url,
        site=platform,
        pin=pin,
        folder=tmp_path,
        flags=[conference.stand_ins],
        sinks=sinks,
        captions=True,
        alone_s=0,
        nobody_came_s=0,
    )
    bot.start()
    try:
        await bot.be_inside()
        await tells(tmp_path / "meeting.events.jsonl", "any other questions then")
    finally:
        await bot.leave()
    check(tmp_path / "meeting.events.jsonl", names=platform != "zoom")


async def tells(path: Path, words: str) -> None:
    """Wait until an event holds these words."""
    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.to_thread(path.exists) or words not in await asyncio.to_thread(path.read_text):
            await asyncio.sleep(0.2)


def check(path: Path, *, names: bool) -> None:
    """The events tell the talk; Zoom's captions name no one."""
    events = [json.loads(line) for line in path.read_text().splitlines()]
    said = [(it["name"], it["text"]) for it in events if it["kind"] == "caption" and it["text"] != "hm"]
    assert said == [(who if names else None, text) for who, text in TALK]
    assert [it["name"] for it in events if it["kind"] == "speaker"][-2:] == ["Bob", "Ada"]
    moments = [it["seconds"] for it in events if it["kind"] == "caption"]
    assert moments == sorted(moments)
    assert moments[-1] > moments[0] > 0
