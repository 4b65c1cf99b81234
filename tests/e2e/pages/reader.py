"""A reader who types the commands of a page into one shell, as they are printed."""

import os
import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile

from dev.docs.commands import Typed
from dev.machine.errors import DevError

_MARK = "=== typed"
# A forwarded port is there a moment after its command, which a person does not notice.
_FORWARDED = re.compile(r"port-forward .* (\d+):\d+ &$")
_TIMEOUT_S = 300


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command printed."""

    typed: Typed
    output: str


class CommandFailed(DevError):
    """A command of the page fails when it is typed as printed."""


def type_all(page: list[Typed], *, environment: dict[str, str], folder: str) -> list[Answer]:
    """Type the commands one after another. Raises CommandFailed with what the first one that fails printed."""
    script = "\n".join(["shopt -s expand_aliases", *(_chunk(number, each) for number, each in enumerate(page)), "true"])
    with TemporaryFile("w+") as printed:
        shell = subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = shell.wait(timeout=_TIMEOUT_S)
        finally:
            # What a page starts in the background ends with its reader.
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)
        printed.seek(0)
        answers = _answers(page, printed.read())
    if code != 0:
        raise CommandFailed(f"`{answers[-1].typed.command}` printed:\n{answers[-1].output}")
    return answers


def _answers(page: list[Typed], printed: str) -> list[Answer]:
    found = re.findall(rf"{_MARK} (\d+)\n((?:(?!{_MARK}).)*)", printed, re.DOTALL)
    return [Answer(typed=page[int(number)], output=text) for number, text in found]


def _chunk(number: int, typed: Typed) -> str:
    forwarded = _FORWARDED.search(typed.command)
    wait = f"until (exec 3<>/dev/tcp/localhost/{forwarded[1]}) 2>/dev/null; do sleep 0.1; done" if forwarded else ""
    return f"echo '{_MARK} {number}'\n{typed.command}\nrc=$?; [ $rc = 0 ] || exit $rc\n{wait}"
