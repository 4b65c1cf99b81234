"""A reader who types the commands of a page into one shell, as they are printed."""

import os
import re
import signal
import subprocess
from dataclasses import dataclass

from dev.docs.commands import Typed
from dev.machine.errors import DevError

_MARK = "=== typed"
# A forwarded port is there a moment after its command, which a person does not notice.
_FORWARDED = re.compile(r"port-forward .* (\d+):\d+ &$")
_TIMEOUT_S = 150


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command printed."""

    typed: Typed
    output: str


class CommandFailed(DevError):
    """A command of the page fails when it is typed as printed."""


def type_all(page: list[Typed], *, environment: dict[str, str], folder: str) -> list[Answer]:
    """Type the commands one after another. Raises CommandFailed with what the first one that fails printed."""
    script = "\n".join(["shopt -s expand_aliases", *(_chunk(number, each) for number, each in enumerate(page))])
    with subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", f"{script}\ntrue"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            output, _ = shell.communicate(timeout=_TIMEOUT_S)
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
    answers = [
        Answer(typed=page[int(n)], output=text)
        for n, text in re.findall(rf"{_MARK} (\d+)\n((?:(?!{_MARK}).)*)", output, re.DOTALL)
    ]
    if shell.returncode != 0:
        raise CommandFailed(f"`{answers[-1].typed.command}` printed:\n{answers[-1].output}")
    return answers


def _chunk(number: int, typed: Typed) -> str:
    forwarded = _FORWARDED.search(typed.command)
    wait = f"until (exec 3<>/dev/tcp/localhost/{forwarded[1]}) 2>/dev/null; do sleep 0.1; done" if forwarded else ""
    return f"echo '{_MARK} {number}'\n{typed.command}\nrc=$?; [ $rc = 0 ] || exit $rc\n{wait}"
