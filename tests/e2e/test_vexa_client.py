"""Vexa's own client, unmodified, against Usher on the cluster: from a new user to a bot that left."""

import itertools
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from vexa_client import VexaClient
from vexa_client.vexa import VexaClientError

from dev.demo.kubectl import SYSTEM
from tests.e2e.kit import Cluster, eventually

PLATFORM = "google_meet"
FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    """The public API, by way of kubectl."""
    forward = cluster.kubectl.begin("--namespace", SYSTEM, "port-forward", "service/usher-api", ":8080")
    try:
        assert forward.stdout is not None
        said = list(itertools.islice(forward.stdout, 1))
        found = FORWARDED.match(said[0]) if said else None
        assert found is not None, f"kubectl port-forward said {said}."
        yield f"http://127.0.0.1:{found[1]}"
    finally:
        forward.terminate()
        forward.communicate()


@pytest.fixture
def vexa(cluster: Cluster, url: str) -> Iterator[VexaClient]:
    """A client of a new user who may have one bot."""
    client = VexaClient(base_url=url, admin_key=cluster.secret("usher-admin", "admin-api-key"))
    client.create_user_and_set_id(f"{cluster.a_name('vexa')}@example.com", max_concurrent_bots=1)
    client.set_api_key(client.create_token()["token"])
    yield client
    for meeting in client.get_meetings():
        if meeting["native_meeting_id"]:
            client.stop_bot(meeting["platform"], meeting["native_meeting_id"])
        for name in _requests_of(cluster, meeting["id"]):
            cluster.kubectl("delete", "br", name)
    client._session.close()


def _requests_of(cluster: Cluster, meeting_id: int) -> list[str]:
    found: dict[str, Any] = cluster.kubectl.json("get", "br", "--selector", f"usher.dev/meeting-id={meeting_id}")
    return [item["metadata"]["name"] for item in found["items"]]


def _a_meeting_code() -> str:
    letters = "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=10))
    return f"{letters[:3]}-{letters[3:7]}-{letters[7:]}"


def test_a_bot_is_asked_for_told_something_and_sent_away(cluster: Cluster, vexa: VexaClient) -> None:
    native_id = _a_meeting_code()
    asked = vexa.request_bot(PLATFORM, native_id, bot_name="Notes", language="en")
    assert (asked["status"], asked["bot_container_id"]) == ("reserved", f"bot-{asked['id']}")
    assert len(_requests_of(cluster, asked["id"])) == 1

    with pytest.raises(VexaClientError, match=r"429 .*Maximum concurrent bots limit reached \(1\)"):
        vexa.request_bot(PLATFORM, _a_meeting_code())

    eventually("the bot to be in its meeting", lambda: _status(vexa, native_id) == "active")
    (running,) = vexa.get_running_bots_status()
    assert (running["native_meeting_id"], running["container_name"]) == (native_id, f"bot-{asked['id']}")

    vexa.update_bot_config(PLATFORM, native_id, language="es")
    eventually("the bot to speak Spanish", lambda: _applied(cluster, asked["id"]))
    vexa.update_meeting_data(PLATFORM, native_id, name="Standup")

    vexa.stop_bot(PLATFORM, native_id)
    eventually("the meeting to be over", lambda: _status(vexa, native_id) == "completed")
    ended = vexa.get_meeting_by_id(PLATFORM, native_id)
    assert ended is not None
    assert (ended["completion_reason"], ended["data"]["name"]) == ("stopped", "Standup")
    assert vexa.get_running_bots_status() == []


def _status(vexa: VexaClient, native_id: str) -> str | None:
    meeting = vexa.get_meeting_by_id(PLATFORM, native_id)
    return str(meeting["status"]) if meeting else None


def _applied(cluster: Cluster, meeting_id: int) -> bool:
    rows = cluster.rows(f"SELECT applied_generation FROM usher.bots WHERE meeting_id = {meeting_id}")
    return bool(rows and rows[0]["applied_generation"] >= 1)
