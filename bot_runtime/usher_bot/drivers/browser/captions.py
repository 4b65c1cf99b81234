"""Captions become events: a platform lets a caption grow and mends it word by word, a sink gets each word once.

A caption is handed on when it has not changed for a while, or is not shown any more. What it grows by later is handed
on by itself. No caption is ever logged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

SETTLED_S = 3.0
ALIKE = 0.5
OVERLAP = 3


@dataclass(frozen=True, kw_only=True)
class Said:
    """A piece of a caption that will not change any more. `began` is when its first word was seen."""

    name: str | None
    text: str
    began: float


@dataclass
class _Caption:
    name: str | None
    words: list[str]
    began: float
    changed: float
    told: list[str] = field(default_factory=list)

    def rest(self) -> list[str]:
        """The words that were not handed on yet."""
        if not self.told:
            return self.words
        for kept in range(min(len(self.told), len(self.words)), OVERLAP - 1, -1):  # its beginning scrolled away
            if _bare(self.told[-kept:]) == _bare(self.words[:kept]):
                return self.words[kept:]
        return self.words[len(self.told) :]

    def tell(self) -> Said | None:
        rest, self.told = self.rest(), self.words
        return Said(name=self.name, text=" ".join(rest), began=self.began) if rest else None


class Captions:
    """All captions of a meeting, from the first to the last."""

    def __init__(self) -> None:
        self._shown: dict[str, _Caption] = {}

    def note(self, shown: Any, *, now: float) -> list[Said]:
        """Take in what is shown now; what may be handed on."""
        seen = {key: (name, text.split()) for key, name, text in _entries(shown)}
        told = [caption.tell() for key, caption in self._shown.items() if key not in seen]
        self._shown = {key: caption for key, caption in self._shown.items() if key in seen}
        for key, (name, words) in seen.items():
            told.append(self._take(key, name, words, now=now))
        return [said for said in told if said]

    def rest(self) -> list[Said]:
        """What is left at the end of the meeting."""
        return [said for caption in self._shown.values() if (said := caption.tell())]

    def _take(self, key: str, name: str | None, words: list[str], *, now: float) -> Said | None:
        known = self._shown.get(key)
        if known is None or known.name != name or not _is_same(known.words, words):
            self._shown[key] = _Caption(name, words, began=now, changed=now)
            return known.tell() if known else None
        if words != known.words:
            if known.told == known.words:
                known.began = now
            known.words, known.changed = words, now
        return known.tell() if now - known.changed >= SETTLED_S else None


def _is_same(before: Sequence[str], after: Sequence[str]) -> bool:
    """True if a caption was continued or mended; pages use an element again for the next one."""
    size = min(len(before), len(after))
    blocks = SequenceMatcher(None, _bare(before), _bare(after), autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) >= ALIKE * size


def _bare(words: Sequence[str]) -> list[str]:
    """Without what a mend changes first: capitals and punctuation."""
    return [word.lower().strip(".,;:!?") for word in words]


def _entries(shown: Any) -> Iterable[tuple[str, str | None, str]]:
    """What a page gave, as far as it has the form of captions."""
    for entry in shown if isinstance(shown, list) else ():
        match entry:
            case [key, str() | None as name, str() as text] if text.strip():
                yield str(key), name, text
