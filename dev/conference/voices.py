"""Whether a recording holds a known voice: how well the two curves of loudness agree at the best place."""

import base64
import math
from collections.abc import Sequence

from playwright.async_api import Page

STEP_S = 0.01
PIECE_S = 4.0
PIECES = 9

CURVE = """
async ([data, step]) => {
  const bytes = Uint8Array.from(atob(data), (it) => it.charCodeAt(0));
  const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(bytes.buffer);
  const samples = sound.getChannelData(0);
  const size = Math.round(step * sound.sampleRate);
  const curve = [];
  for (let at = 0; at + size <= samples.length; at += size) {
    let sum = 0;
    for (let i = at; i < at + size; i++) sum += samples[i] * samples[i];
    curve.push(Math.sqrt(sum / size));
  }
  return curve;
}
"""


async def loudness(page: Page, sound: bytes) -> list[float]:
    """The loudness of each hundredth of a second, decoded by a browser."""
    curve: list[float] = await page.evaluate(CURVE, [base64.b64encode(sound).decode(), STEP_S])
    return curve


def likeness(voice: Sequence[float], recorded: Sequence[float]) -> float:
    """The best correlation of a piece of the recording with the voice, which is spoken again and again. A machine with
    too much to do drops sound, so one piece of several must be whole."""
    size = min(int(PIECE_S / STEP_S), len(recorded), len(voice))
    last, again = len(recorded) - size, [*voice, *voice]
    pieces = [recorded[at : at + size] for at in {last * place // (PIECES - 1) for place in range(PIECES)}]
    return max(_correlation(again[at : at + size], piece) for piece in pieces for at in range(0, len(again) - size, 2))


def _correlation(one: Sequence[float], other: Sequence[float]) -> float:
    mean_one, mean_other = sum(one) / len(one), sum(other) / len(other)
    shared = sum((a - mean_one) * (b - mean_other) for a, b in zip(one, other, strict=True))
    spread = sum((a - mean_one) ** 2 for a in one) * sum((b - mean_other) ** 2 for b in other)
    return shared / math.sqrt(spread) if spread else 0.0
