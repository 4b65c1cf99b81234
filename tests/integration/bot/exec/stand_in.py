"""A stand-in for a bot of Vexa: `stand_in.py VERSION SCENARIO RECORD`.

It does what `dialects.json` says of that version: reads its configuration and refuses what that version refuses, sends
its callbacks and repeats those whose answer it does not accept, listens on its Redis channel, and ends with its words
and its exit code. What it met stands in RECORD at the end. The standard library is all it uses.
"""

import json
import os
import queue
import signal
import socket
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

VERSION, SCENARIO, RECORD = sys.argv[1:4]
FACTS = json.loads(Path(__file__).with_name("dialects.json").read_text())[VERSION]
KINDS = {"str": str, "int": int}
record: dict[str, Any] = {"attempts": [], "heard": [], "subscribed": False}
# What ends it: a scenario of `ends`.
endings: "queue.Queue[str]" = queue.Queue()


def configuration() -> dict[str, Any]:
    """The configuration, checked as this version checks it."""
    config: dict[str, Any] = json.loads(os.environ[FACTS["variable"]])
    for path, kind in FACTS["required"].items():
        value: Any = config
        for name in path.split("."):
            value = value[name]
        if not isinstance(value, KINDS[kind]):
            sys.exit(f"Invalid configuration: {path}")
    unknown = config.keys() - set(FACTS.get("allowed", config))
    if unknown:
        sys.exit(f"Invalid configuration: {sorted(unknown)}")
    return config


def address(config: dict[str, Any], name: str) -> str:
    """Where a callback goes."""
    rule = FACTS["address"]
    if rule.get("by_name"):
        return str(config[rule["field"]]).replace("/exited", f"/{name}")
    return str(config[rule["field"]]).replace(*rule["replace"])


def say(config: dict[str, Any], name: str, **body: Any) -> None:
    """Send a callback until its answer is accepted, as often as this version does."""
    status = {} if FACTS["address"].get("by_name") else {"status": name}
    data = json.dumps({"connection_id": config["connectionId"], **status, **body}).encode()
    for attempt in range(1, FACTS.get("attempts", 1) + 1):
        url, headers = address(config, name), {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers), timeout=5) as response:
            word = json.load(response)["status"]
        if FACTS["accepted_words"] is None or word in FACTS["accepted_words"]:
            record["attempts"].append([name, attempt])
            return
    record["attempts"].append([name, 0])
    if FACTS.get("aborts_when_refused"):
        endings.put("broken")


def listen(config: dict[str, Any]) -> None:
    """Subscribe to the channel of this version, and take in what comes."""
    url = urlsplit(config["redisUrl"])
    with socket.create_connection((url.hostname, url.port or 6379)) as link:
        link.sendall(f"SUBSCRIBE {FACTS['channel'].format(**config)}\r\n".encode())
        for line in link.makefile("r"):
            record["subscribed"] = True
            if line.startswith("{"):
                take(json.loads(line))


def take(command: dict[str, Any]) -> None:
    """Leave, or note what else is asked for."""
    record["heard"].append({name: command.get(name) for name in ("action", "language", "task")})
    if command["action"] == "leave":
        endings.put("leave")


def live(config: dict[str, Any]) -> str:
    """Go into the meeting and stay until something ends it; which scenario that was."""
    if config["redisUrl"]:
        threading.Thread(target=listen, args=[config], daemon=True).start()
        while not record["subscribed"]:
            time.sleep(0.005)
    for step in FACTS["steps"][: -1 if SCENARIO == "refused" else None]:
        say(config, step)
        if not endings.empty():
            return endings.get()
    if SCENARIO != "stay":
        return SCENARIO
    while True:
        if FACTS.get("beats"):
            say(config, "heartbeat")
        try:
            return endings.get(timeout=0.02)
        except queue.Empty:
            continue


def main() -> None:
    """One life."""
    signal.signal(signal.SIGTERM, lambda *_: endings.put("sigterm"))
    config = record["config"] = configuration()
    end = dict(FACTS["ends"][live(config)])
    name = end.pop("name", None) or end.pop("status")
    say(config, name, **end)
    record["end"] = [name, end["exit_code"]]
    record["attempts"] = [each for each in record["attempts"] if each[0] != "heartbeat"]
    Path(RECORD).write_text(json.dumps(record))
    os._exit(end["exit_code"])


if __name__ == "__main__":
    main()
