"""A bot of the standard library that speaks the callback contract by itself, with one fault: `_faulty_bot.py FAULT`.

Without a fault (`none`) it keeps every requirement. `usher-bot conformance --own-callbacks` must find each fault.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit

FAULT = sys.argv[1]
URL = urlsplit(os.environ["USHER_CALLBACK_URL"])
TOKEN_FILE = os.environ["USHER_TOKEN_FILE"]
CONNECTION_ID = os.environ["USHER_CONNECTION_ID"]


def read_token() -> str:
    with open(TOKEN_FILE) as file:
        return file.read()


class Dismissed(Exception):
    """Usher wants nothing more of this bot."""


class Asked(Exception):
    """SIGTERM."""


class Bot:
    """Says what it does, and does what it is told."""

    def __init__(self) -> None:
        self.token = read_token()
        self.beat_s = 1.0
        self.leave = False

    def post(self, kind: str, **body: Any) -> tuple[int, dict[str, Any]]:
        token = self.token if FAULT == "keeps_token" else read_token()
        headers = {} if FAULT == "no_token" else {"Authorization": f"Bearer {token}"}
        client = http.client.HTTPConnection(URL.hostname or "", URL.port, timeout=10)
        whole = {"connection_id": "another" if FAULT == "wrong_connection_id" else CONNECTION_ID, **body}
        client.request("POST", f"/bots/internal/callback/{kind}", json.dumps(whole), headers)
        answer = client.getresponse()
        text = answer.read()
        client.close()
        is_json = answer.headers["Content-Type"].startswith("application/json")
        return answer.status, json.loads(text) if is_json else {}

    def tell(self, kind: str, **body: Any) -> bool:
        """Report once; True if Usher took it."""
        status, answer = self.post(kind, **body)
        if status == 503 and FAULT == "gives_up_when_away":
            sys.exit(9)
        if (answer.get("terminate") and FAULT != "ignores_dismissal") or (status == 404 and FAULT == "believes_pages"):
            raise Dismissed
        if status == 200:
            self.beat_s = answer["next_beat_s"]
            self.leave = any(command["action"] == "leave" for command in answer["commands"])
        return status == 200

    def insist(self, kind: str, **body: Any) -> None:
        while not self.tell(kind, **body):
            if kind == "started" and FAULT == "starts_once":
                sys.exit(9)
            time.sleep(0.5)

    def live(self) -> None:
        if FAULT == "never_starts":
            time.sleep(3600)
        if FAULT == "joins_first":
            self.insist("joined")
        self.insist("started")
        if self.leave and FAULT != "joins_anyway":
            return
        if FAULT == "never_joins":
            time.sleep(3600)
        self.insist("joined")
        while not self.leave or FAULT == "ignores_leave":
            pause_s = {"no_heartbeats": 3600.0, "babbles": self.beat_s / 20}.get(FAULT, self.beat_s)
            time.sleep(pause_s)
            self.tell("heartbeat", status="active")
            if FAULT == "prints_token":
                sys.stdout.write(f"{read_token()}\n")

    def end(self) -> int:
        code = 7 if FAULT == "fails_when_asked" else 0
        if FAULT == "leaves_child":
            subprocess.Popen(["sleep", "60"], start_new_session=True)
        if FAULT != "no_exited":
            self.insist("exited", exit_code=3 if FAULT == "wrong_exit_code" else code, reason="stopped")
        if FAULT == "beats_after_exited":
            self.tell("heartbeat")
        return code


def asked(*_: object) -> None:
    if FAULT != "ignores_sigterm":
        raise Asked


def main() -> int:
    """Live to the end; the exit code."""
    bot = Bot()
    signal.signal(signal.SIGTERM, asked)
    try:
        bot.live()
    except Dismissed:
        return 4
    except Asked:
        pass
    return bot.end()


if __name__ == "__main__":
    sys.exit(main())
