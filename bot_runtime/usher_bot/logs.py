"""Logs: a sentence for people, `action` and the meeting for machines, on stderr.

Configured once, before anything speaks. Every line passes the redactor last, so that also a traceback of a foreign
library cannot carry a secret out.
"""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

from usher_bot.redaction import Redactor
from usher_bot.settings import Settings

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure_logging(settings: Settings, *, redactor: Redactor) -> None:
    """Send every record of this process to stderr in the chosen format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_RedactingFormatter(_formatter(settings), redactor=redactor))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)


def _formatter(settings: Settings) -> logging.Formatter:
    if settings.log_format == "text":
        return logging.Formatter(_TEXT)
    return JsonFormatter(
        ["asctime", "levelname", "name", "message"],
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        static_fields={"meeting_id": settings.meeting_id, "connection_id": settings.connection_id},
    )


class _RedactingFormatter(logging.Formatter):
    def __init__(self, inner: logging.Formatter, *, redactor: Redactor) -> None:
        super().__init__()
        self._inner = inner
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.clean(self._inner.format(record))
