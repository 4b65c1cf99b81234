"""A small program that behaves like an existing bot of Vexa's; the tests of the exec driver run it as a real child.

It speaks the callbacks over the URLs in `BOT_CONFIG` and then follows its first argument: `stay` until SIGTERM,
`fail` with a word and exit code 7, or `refuse` SIGTERM.
"""

import json
import os
import signal
import sys
import time
import urllib.request
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


def main(mode: str) -> None:
    """One short life."""
    say("started")
    say("status", status="awaiting_admission")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "refuse" else leave)
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
