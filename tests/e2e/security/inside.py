"""Standing inside a bot's pod: Python that runs there, with what the bot has and nothing else."""

import json
from collections.abc import Sequence
from typing import Any

from tests.e2e.kit import Bot

# Reads `given` from standard input; whatever the probe puts into `found` comes back.
_FRAME = """
import json, os, sys
given, found = json.load(sys.stdin), {}
%s
print(json.dumps(found))
"""

# Callbacks as given: each is {token, call, body}; the token None is the pod's own, and "" is none at all.
_CALL = """
import urllib.error, urllib.request
own = open(os.environ["USHER_TOKEN_FILE"]).read().strip()
found = []
for wanted in given:
    token = own if wanted["token"] is None else wanted["token"]
    headers = {"Content-Type": "application/json", **({"Authorization": "Bearer " + token} if token else {})}
    url = os.environ["USHER_CALLBACK_URL"] + "/bots/internal/callback/" + wanted["call"]
    request = urllib.request.Request(url, data=json.dumps(wanted["body"]).encode(), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            found.append([answer.status, json.load(answer)])
    except urllib.error.HTTPError as error:
        found.append([error.code, json.load(error)])
"""


def run(bot: Bot, probe: str, given: Any = None) -> Any:
    """What a probe finds inside the bot's pod."""
    (pod,) = bot.pods()
    execute = ("exec", "--stdin", pod["metadata"]["name"], "--container", "bot", "--", "python3", "-c", _FRAME % probe)
    return json.loads(bot.cluster.kubectl(*execute, stdin=json.dumps(given)))


def call(
    bot: Bot, *, connection_id: str, token: str | None = None, call: str = "heartbeat", **body: Any
) -> tuple[int, dict[str, Any]]:
    """What a callback from inside the bot's pod is answered."""
    (answered,) = calls(bot, [(call, {"connection_id": connection_id, **body})], token=token)
    return answered


def calls(
    bot: Bot, wanted: Sequence[tuple[str, dict[str, Any]]], *, token: str | None = None
) -> list[tuple[int, dict[str, Any]]]:
    """What several callbacks are answered, one after the other."""
    given = [{"token": token, "call": call, "body": body} for call, body in wanted]
    return [(status, answer) for status, answer in run(bot, _CALL, given)]


def token_of(bot: Bot) -> str:
    """The token that the kubelet gave the bot."""
    return str(run(bot, 'found = open(os.environ["USHER_TOKEN_FILE"]).read().strip()'))
