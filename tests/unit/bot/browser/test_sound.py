"""Which way the sound comes, and what is made of what the browser plays."""

import io
import math
import wave
from array import array
from pathlib import Path
from typing import Any

import pytest

from tests.unit.bot.browser.fake_page import INSIDE, FakePage
from tests.unit.bot.fake_time import FakeClock
from usher_bot.drivers.browser.options import BrowserOptions
from usher_bot.drivers.browser.page import BrowserFailed
from usher_bot.drivers.browser.sound import server
from usher_bot.drivers.browser.sound.played import Played
from usher_bot.drivers.browser.sound.server import RATE, SoundServer
from usher_bot.drivers.browser.sound.tracks import Tracks
from usher_bot.drivers.browser.wiring import choose_source

FILE = {"kind": "file", "path": "/recordings/one"}


def a_tone(seconds: float, *, height: float = 0.5) -> bytes:
    """A sine wave of 400 Hz."""
    step = 2 * math.pi * 400 / RATE
    return array("h", (int(height * 32767 * math.sin(step * n)) for n in range(int(seconds * RATE)))).tobytes()


@pytest.mark.parametrize(
    ("platform", "options", "source"),
    [
        ("google_meet", {"sinks": [FILE]}, Tracks),
        ("jitsi", {"sinks": [FILE]}, Tracks),
        ("zoom", {"sinks": [FILE]}, Played),
        ("zoom", {"silence_s": 60}, Played),
        ("zoom", {}, Tracks),
        ("zoom", {"sinks": [FILE], "sound": "tracks"}, Tracks),
        ("google_meet", {"sound": "server"}, Played),
        ("google_meet", {"sinks": [FILE], "site": "zoom"}, Played),
    ],
)
def test_a_sound_server_runs_only_where_it_is_asked_for_or_a_page_may_play_without_tracks(
    platform: str, options: dict[str, Any], source: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    assert type(choose_source(BrowserOptions.model_validate(options), platform=platform)) is source


def test_without_a_sound_server_the_tracks_are_heard_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    options = BrowserOptions.model_validate({"sinks": [FILE]})
    assert type(choose_source(options, platform="zoom")) is Tracks
    assert "only remote tracks are heard" in caplog.text


async def a_recording(*heard: bytes, slice_s: float = 0.5, before: bytes = b"") -> list[bytes]:
    """The slices that are made of what is played, `before` of it before the recording began."""
    source, taken = Played(slice_s=slice_s), list[bytes]()
    await source.prepare(FakePage(FakeClock()), taken.append)
    source._hear(before)
    await source.start()
    for samples in heard:
        source._hear(samples)
    await source.stop()
    return taken


async def test_joined_slices_are_one_wav_file_of_what_was_played() -> None:
    tone = a_tone(1.3)
    slices = await a_recording(tone[:10_000], tone[10_000:], before=a_tone(1))
    assert [len(it) for it in slices] == [16_000, 16_000, len(tone) + 44 - 32_000]
    with wave.open(io.BytesIO(b"".join(slices))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        assert file.readframes(2 * RATE) == tone


async def test_nothing_is_kept_without_a_recording() -> None:
    source, taken = Played(slice_s=0.5), list[bytes]()
    source._hear(a_tone(2))
    await source.stop()
    assert taken == []


@pytest.mark.parametrize(("samples", "loudness"), [(a_tone(0.1), 0.35), (bytes(3200), 0.0), (b"", 0.0), (b"\x00", 0.0)])
def test_loudness_is_that_of_what_was_played_last(samples: bytes, loudness: float) -> None:
    source = Played(slice_s=1)
    source._hear(a_tone(0.2, height=0.9))
    source._hear(samples)
    assert source.loudness(INSIDE) == pytest.approx(loudness, abs=0.01)


@pytest.mark.parametrize(
    ("program", "told"), [("there-is-no-such-program", "No such file"), ("false", "it ended with 1")]
)
async def test_a_sound_server_that_does_not_start_is_a_browser_that_does_not(
    program: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server, "PROGRAM", program)
    folder = tmp_path / "sound"
    with pytest.raises(BrowserFailed, match=told):
        await SoundServer(lambda samples: None, folder=folder).start()
    assert not folder.exists()
