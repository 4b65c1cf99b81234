"""A file in a volume: the slices as they come, and the events beside them, one JSON object a line."""

import json
from pathlib import Path
from typing import Any, BinaryIO


class FileSink:
    """Writes each slice at once, so that a crash loses no more than what the page still held."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    async def open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("ab", buffering=0)

    async def take(self, data: bytes) -> None:
        if self._file:
            self._file.write(data)

    async def note(self, event: dict[str, Any]) -> None:
        with self._path.with_suffix(".events.jsonl").open("a", encoding="utf-8") as events:
            events.write(json.dumps(event) + "\n")

    async def close(self) -> None:
        if self._file:
            self._file.close()
