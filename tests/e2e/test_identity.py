"""Who may call back: tried from inside a bot's pod, with what a bot has."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.kit import Bot, Cluster, User

# Any bot has Python; this one does not play by the rules.
CALL = """
import json, os, sys, urllib.error, urllib.request
wanted = json.load(sys.stdin)
headers = {"Content-Type": "application/json"}
if wanted["token"]:
    headers["Authorization"] = "Bearer " + open(os.environ["USHER_TOKEN_FILE"]).read().strip()
url = os.environ["USHER_CALLBACK_URL"] + "/bots/internal/callback/" + wanted["call"]
body = {"connection_id": wanted["connection_id"], "exit_code": 0, "padding": "x" * wanted["padding"]}
request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
try:
    with urllib.request.urlopen(request, timeout=10) as answer:
        print(json.dumps([answer.status, json.load(answer)]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, json.load(error)]))
"""


@pytest.fixture(scope="module")
def bots(cluster: Cluster, user: User) -> Iterator[tuple[Bot, Bot]]:
    """Two bots of one user, both in their meetings."""
    one, other = cluster.apply([cluster.a_bot(user, called="caller"), cluster.a_bot(user, called="callee")])
    yield one.wait_for("Joined"), other.wait_for("Joined")
    for bot in (one, other):
        bot.delete()


def test_a_bots_token_speaks_for_its_own_meeting(bots: tuple[Bot, Bot]) -> None:
    one, _ = bots
    status, answer = _call(one, connection_id=one.uid)
    assert (status, answer["status"], answer["new_status"]) == (200, "heartbeat processed", "active")


def test_a_bots_token_does_not_speak_for_another_meeting_of_the_same_user(bots: tuple[Bot, Bot]) -> None:
    one, other = bots
    status, answer = _call(one, connection_id=other.uid, call="exited")
    assert (status, answer["code"], answer["terminate"]) == (403, "forbidden", False)
    assert other.row()["status"] == "active"


def test_a_bot_whose_row_is_missing_is_told_to_wait(bots: tuple[Bot, Bot]) -> None:
    status, answer = _call(bots[0], connection_id="nobody")
    assert (status, answer["code"]) == (503, "row_missing")


def test_without_a_token_nobody_is_heard(bots: tuple[Bot, Bot]) -> None:
    one, _ = bots
    status, answer = _call(one, connection_id=one.uid, token=False)
    assert (status, answer["code"]) == (401, "unauthorized")


def test_an_oversized_body_is_refused(bots: tuple[Bot, Bot]) -> None:
    one, _ = bots
    status, answer = _call(one, connection_id=one.uid, padding=70_000)
    assert status == 413
    assert answer["code"] == "request_entity_too_large"


def test_a_bots_pod_holds_no_other_credential(bots: tuple[Bot, Bot]) -> None:
    (pod,) = bots[0].pods()
    mounts = [mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]]
    assert "/var/run/secrets/kubernetes.io/serviceaccount" not in mounts
    environment = {variable["name"]: variable.get("value", "") for variable in pod["spec"]["containers"][0]["env"]}
    assert "USHER_DATABASE_URL" not in environment
    assert environment["USHER_REDIS_URL"].startswith(f"redis://bot-{bots[0].row()['meeting_id']}:")


def _call(
    bot: Bot, *, connection_id: str, call: str = "heartbeat", token: bool = True, padding: int = 0
) -> tuple[int, dict[str, Any]]:
    """What a callback from inside the bot's pod is answered."""
    (pod,) = bot.pods()
    wanted = {"connection_id": connection_id, "call": call, "token": token, "padding": padding}
    execute = ("exec", "--stdin", pod["metadata"]["name"], "--container", "bot", "--", "python3", "-c", CALL)
    status, answer = json.loads(bot.cluster.kubectl(*execute, stdin=json.dumps(wanted)))
    return status, answer
