"""The least that is a bot to the callback server: one thread, the standard library, the real protocol.

`_minimal_bot.py HOST PORT CONNECTION_ID TOKEN FIRST_BEAT_S`: says started and joined, then beats as told.
"""

import http.client
import json
import sys
import time


def main(host: str, port: str, connection_id: str, token: str, first_beat_s: str) -> None:
    def say(kind: str, **body: str) -> float:
        """Say it until it is heard; the pause to the next beat, in seconds."""
        while True:
            try:
                code, answer = post(kind, json.dumps({"connection_id": connection_id} | body))
            except (OSError, http.client.HTTPException):
                code = 503
            if code == 200:
                return float(answer["next_beat_s"])
            if code not in (429, 503):
                sys.exit(f"{kind}: {code}")
            time.sleep(1)

    def post(kind: str, body: str) -> tuple[int, dict[str, float]]:
        client = http.client.HTTPConnection(host, int(port), timeout=10)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        client.request("POST", f"/bots/internal/callback/{kind}", body, headers)
        answer = client.getresponse()
        read: dict[str, float] = json.loads(answer.read())
        client.close()
        return answer.status, read

    say("started")
    say("joined")
    delay = float(first_beat_s)
    while True:
        time.sleep(delay)
        delay = say("heartbeat", status="active")


if __name__ == "__main__":
    main(*sys.argv[1:])
