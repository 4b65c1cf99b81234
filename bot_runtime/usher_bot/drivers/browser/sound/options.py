"""Which sinks a class names. A path or URL may hold `{connection_id}`, `{meeting_id}` and `{platform}`."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from usher_bot.drivers.browser.sound.file import FileSink
from usher_bot.drivers.browser.sound.objects import Key, ObjectSink
from usher_bot.drivers.browser.sound.program import ProgramSink
from usher_bot.drivers.browser.sound.sink import Feed, Sink
from usher_bot.drivers.browser.sound.websocket import WebSocketSink
from usher_bot.settings import Settings


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileOptions(_Options):
    """A file in a volume that the class mounts."""

    kind: Literal["file"]
    path: str


class ObjectOptions(_Options):
    """A bucket and a prefix, as one URL."""

    kind: Literal["s3"]
    url: str


class WebSocketOptions(_Options):
    """A server that takes binary messages."""

    kind: Literal["websocket"]
    url: str


class ProgramOptions(_Options):
    """A program in the bot's image."""

    kind: Literal["program"]
    command: Annotated[list[str], Field(min_length=1)]


AnySink = FileOptions | ObjectOptions | WebSocketOptions | ProgramOptions
SinkOptions = Annotated[AnySink, Field(discriminator="kind")]


def make_feed(options: AnySink, *, settings: Settings, suffix: str) -> Feed:
    """A feed to the sink that the options describe, for slices of files with that suffix."""
    return Feed(_make_sink(options, settings=settings, suffix=suffix), name=options.kind)


def _make_sink(options: AnySink, *, settings: Settings, suffix: str) -> Sink:
    if isinstance(options, FileOptions):
        return FileSink(Path(_filled(options.path, settings)))
    if isinstance(options, ObjectOptions):
        return ObjectSink(_filled(options.url, settings), key=Key.of(os.environ), suffix=suffix)
    if isinstance(options, WebSocketOptions):
        return WebSocketSink(_filled(options.url, settings))
    return ProgramSink([_filled(word, settings) for word in options.command])


def _filled(template: str, settings: Settings) -> str:
    values = {
        "connection_id": settings.connection_id,
        "meeting_id": str(settings.meeting_id),
        "platform": str(settings.platform),
    }
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", value)
    return template
