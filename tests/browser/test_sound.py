"""What the host says is in the recording, and it is the host's voice."""

import asyncio
import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from dev.conference.host import Host
from dev.conference.settings import Settings
from dev.conference.voices import likeness, loudness
from tests.browser.conftest import MakeGuest
from tests.browser.guest import NAME, Guest
from usher_models.states import Stage

RECOGNISED = 0.7


async def a_listener(host: Host, make_guest: MakeGuest, *sinks: dict[str, Any], **options: Any) -> Guest:
    """A bot that hears the host and records."""
    bot = make_guest(sinks=list(sinks), **options)
    await bot.reach(Stage.LOBBY)
    await host.admit(NAME)
    await bot.be_inside()
    await bot.hears()
    return bot


async def test_the_host_s_voice_is_recognised_in_the_recording(
    host: Host, make_guest: MakeGuest, conference: Settings, tmp_path: Path
) -> None:
    recording = tmp_path / "meeting.webm"
    bot = await a_listener(host, make_guest, {"kind": "file", "path": str(recording)})
    await asyncio.sleep(7)
    await bot.leave()
    voice = await loudness(host.page, conference.voice.read_bytes())
    recorded = await loudness(host.page, recording.read_bytes())
    assert len(recorded) > 600
    assert likeness(voice, recorded) >= RECOGNISED
    assert likeness(voice, random.Random(1).choices(recorded, k=len(recorded))) < RECOGNISED


async def test_the_host_s_voice_is_recognised_in_what_the_browser_plays(
    host: Host, make_guest: MakeGuest, conference: Settings, tmp_path: Path
) -> None:
    recording = tmp_path / "meeting.wav"
    bot = await a_listener(host, make_guest, {"kind": "file", "path": str(recording)}, sound="server")
    await asyncio.sleep(7)
    await bot.leave()
    voice = await loudness(host.page, conference.voice.read_bytes())
    recorded = await loudness(host.page, recording.read_bytes())
    assert len(recorded) > 600
    assert likeness(voice, recorded) >= RECOGNISED
    left = {it.name() for it in psutil.Process(os.getpid()).children(recursive=True)}
    assert not left & {"pulseaudio", "parec"}


PLAY = """(() => {
  const context = new AudioContext();
  const tone = new OscillatorNode(context, { frequency: 400 });
  tone.connect(context.destination);
  tone.start();
  return true;
})()"""


@pytest.mark.parametrize(("sound", "is_heard"), [("server", True), ("tracks", False)])
async def test_what_a_page_plays_without_a_remote_track_is_heard_by_a_sound_server_only(
    make_guest: MakeGuest, sound: str, *, is_heard: bool
) -> None:
    bot = make_guest(sound=sound)
    await bot.reach(Stage.JOINING)
    await bot.insist(PLAY)
    assert await bot.is_loud(within_s=3) is is_heard


async def test_a_crash_loses_at_most_a_slice(
    host: Host, make_guest: MakeGuest, conference: Settings, tmp_path: Path
) -> None:
    recording = tmp_path / "meeting.webm"
    bot = await a_listener(host, make_guest, {"kind": "file", "path": str(recording)})
    before = len(recording.read_bytes()) if recording.exists() else 0
    await asyncio.sleep(6)
    bot.kill("renderer", signal.SIGKILL)
    assert (await bot.outcome()).reason == "page_crashed"
    await bot.leave()
    recorded = await loudness(host.page, recording.read_bytes())
    assert len(recording.read_bytes()) > before
    assert len(recorded) > 450
    assert likeness(await loudness(host.page, conference.voice.read_bytes()), recorded) >= RECOGNISED


async def test_a_program_hears_on_its_standard_input_and_speakers_are_noted(
    host: Host, make_guest: MakeGuest, tmp_path: Path
) -> None:
    heard, beside = tmp_path / "heard.webm", tmp_path / "beside.webm"
    program = {"kind": "program", "command": ["sh", "-c", f"exec cat > {heard}"]}
    bot = await a_listener(host, make_guest, program, {"kind": "file", "path": str(beside)})
    await asyncio.sleep(5)
    await bot.leave()
    assert heard.read_bytes() == beside.read_bytes()
    events = [json.loads(line) for line in beside.with_suffix(".events.jsonl").read_text().splitlines()]
    assert [(it["kind"], it["name"]) for it in events] == [("speaker", "Host")]
    assert 0 <= events[0]["seconds"] < 10
    assert not [it for it in psutil.Process(os.getpid()).children(recursive=True) if "cat" in it.name()]


SAYS = {
    # As another participant's page tells it, and as Jitsi's transcriber would.
    "conference": "window.say('1', '{text}')",
    "jitsi": """APP.store.dispatch({{ type: 'UPDATE_TRANSCRIPT_MESSAGE', transcriptMessageID: '1',
        newTranscriptMessage: {{ participant: {{ name: 'Host' }}, stable: '{text}' }} }})""",
}


async def test_what_is_said_reaches_the_sink_as_a_caption(
    host: Host, make_guest: MakeGuest, site: str, tmp_path: Path
) -> None:
    bot = await a_listener(host, make_guest, {"kind": "file", "path": str(tmp_path / "meeting.webm")})
    for text in ("We ship", "We ship on Friday"):
        if site == "jitsi":
            await bot.script(SAYS[site].format(text=text))
        else:
            await host.page.evaluate(SAYS[site].format(text=text))
        await asyncio.sleep(1.2)
    await bot.leave()
    events = [json.loads(line) for line in (tmp_path / "meeting.events.jsonl").read_text().splitlines()]
    captions = [(it["name"], it["text"]) for it in events if it["kind"] == "caption"]
    assert captions == [("Host", "We ship on Friday")]


async def test_the_conference_keeps_what_a_bot_sends_it(
    host: Host, make_guest: MakeGuest, conference: Settings, room: str, tmp_path: Path
) -> None:
    beside = tmp_path / "beside.webm"
    url = f"ws://{conference.host}:{conference.sink_port}/{room}"
    bot = await a_listener(host, make_guest, {"kind": "websocket", "url": url}, {"kind": "file", "path": str(beside)})
    await asyncio.sleep(3)
    await bot.leave()
    assert (conference.recordings / f"{room}.webm").read_bytes() == beside.read_bytes()
