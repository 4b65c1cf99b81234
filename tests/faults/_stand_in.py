"""The least that is a bot to the callback server: one thread, the standard library, the real protocol.

`_stand_in.py HOST PORT CONNECTION_ID TOKEN FIRST_BEAT_S`: says started and joined, then beats as it is told, for ever.
"""

import http.client
import json
import sys
import time


def main(host: str, port: str, connection_id: str, token: str, first_beat_s: str) -> None:
    client = http.client.HTTPConnection(host, int(port), timeout=10)

    def say(kind: str, **body: str) -> dict[str, float]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        client.request(
            "POST", f"/bots/internal/callback/{kind}", json.dumps({"connection_id": connection_id} | body), headers
        )
        answer = client.getresponse()
        text = answer.read()
        if answer.status != 200:
            sys.exit(f"{kind}: {answer.status}")
        read: dict[str, float] = json.loads(text)
        return read

    say("started")
    say("joined")
    delay = float(first_beat_s)
    while True:
        time.sleep(delay)
        delay = say("heartbeat", status="active")["next_beat_s"]


if __name__ == "__main__":
    main(*sys.argv[1:])
