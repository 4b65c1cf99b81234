"""Keeps secrets out of logs and reports, whatever put them into a message.

One redactor is made from the settings and shared by the log formatter and the lifecycle. Tokens rotate, so they are
recognised by their shape; everything else by its value.
"""

import re

_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_SHORTEST = 4
MASK = "***"


class Redactor:
    """Replaces what must not be read."""

    def __init__(self, secrets: list[str]) -> None:
        longest_first = sorted((secret for secret in secrets if len(secret) >= _SHORTEST), key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def clean(self, text: str) -> str:
        """The text with every secret replaced."""
        text = _TOKEN.sub(MASK, text)
        return self._values.sub(MASK, text) if self._values else text
