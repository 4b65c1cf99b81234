"""The machine's pip settings as one file, for the length of a build.

A build sees neither this machine's environment nor its files. What pip needs here (a mirror, a certificate)
is gathered into a file that is mounted while the build's commands run, and so never part of an image.
"""

import configparser
import os
from pathlib import Path

PLACES = (Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf")
UNSUITABLE = ("find-links", "no-index", "target", "prefix", "require-virtualenv", "config-file")


def gathered() -> str:
    """pip's settings from its files and PIP_* variables; the variables win, as they do for pip."""
    parser = configparser.RawConfigParser()
    named = os.environ.get("PIP_CONFIG_FILE")
    parser.read([*PLACES, *([named] if named else [])])
    if not parser.has_section("global"):
        parser.add_section("global")
    for name, value in os.environ.items():
        if name.startswith("PIP_"):
            parser.set("global", name.removeprefix("PIP_").lower().replace("_", "-"), value)
    return _written(parser)


def _written(parser: configparser.RawConfigParser) -> str:
    lines: list[str] = []
    for section in parser.sections():
        pairs = [(name, value) for name, value in parser.items(section) if name not in UNSUITABLE]
        lines += [f"[{section}]", *(f"{name} = {_indented(value)}" for name, value in pairs)]
    return "\n".join([*lines, ""])


def _indented(value: str) -> str:
    return value.replace("\n", "\n    ")
