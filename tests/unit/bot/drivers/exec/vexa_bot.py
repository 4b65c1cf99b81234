"""A small program that behaves like an existing bot of Vexa's; the tests of the exec driver run it as a real child.

It speaks the callbacks over the URLs in `BOT_CONFIG` and then follows its first argument: `stay` until SIGTERM,
`fail` with a word and exit code 7, `refuse` SIGTERM, or leave `leisurely` and note whether its display still ran.
"""

import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path
from types import FrameType
from typing import Any

CONFIG = json.loads(os.environ["BOT_CONFIG"])
EXITED_URL = CONFIG["botManagerCallbackUrl"]


def say(name: str, **body: Any) -> dict[str, Any]:
    """Post one callback; the reply."""
    request = urllib.request.Request(
        EXITED_URL.replace("/exited", f"/{name}"),
        data=json.dumps({"connection_id": CONFIG["connectionId"], **body}).encode(),
        headers={"Content-Type": "application/json"},
        method="PATCH" if name == "status" else "POST",
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        reply: dict[str, Any] = json.load(response)
        return reply


def leave(_number: int, _frame: FrameType | None) -> None:
    """Say goodbye as older bots do: with the exit code of a signal."""
    say("exited", exit_code=143, reason="signal_sigterm")
    sys.exit(143)


def leave_leisurely(number: int, frame: FrameType | None) -> None:
    """Take a moment to leave, and note whether the display was there all the time."""
    time.sleep(0.2)
    there = not Path(os.environ["DISPLAY_FILE"]).exists()
    Path(os.environ["LEFT"]).write_text("with a display" if there else "without a display")
    leave(number, frame)


WAYS: dict[str, Any] = {"refuse": signal.SIG_IGN, "leisurely": leave_leisurely}


def main(mode: str) -> None:
    """One short life."""
    say("started")
    say("status", status="awaiting_admission")
    signal.signal(signal.SIGTERM, WAYS.get(mode, leave))
    say("joined")
    if mode == "fail":
        say("exited", exit_code=7, reason="post_join_setup_error", error_details="No audio.")
        sys.exit(7)
    while True:
        for command in say("heartbeat", participants=4)["commands"]:
            say("status", heard=command)
        time.sleep(0.02)


if __name__ == "__main__":
    main(sys.argv[1])
