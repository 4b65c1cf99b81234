"""The public client of Vexa, unmodified, against a live server."""

from collections.abc import Iterator

import pytest
from vexa_client import VexaClient
from vexa_client.vexa import VexaClientError

from tests.integration.operator.api.client import ADMIN_KEY
from tests.integration.operator.api.live import live_api


@pytest.fixture
def vexa(database_url: str) -> Iterator[VexaClient]:
    """A client with the admin key and, once it has a user, that user's key."""
    with live_api(database_url) as url:
        client = VexaClient(base_url=url, admin_key=ADMIN_KEY)
        client.create_user_and_set_id("a@example.org", name="A", max_concurrent_bots=1)
        client.set_api_key(client.create_token()["token"])
        yield client
        client._session.close()


def test_users_are_managed(vexa: VexaClient) -> None:
    assert [user["email"] for user in vexa.list_users()] == ["a@example.org"]
    assert vexa.get_user_by_email("a@example.org")["id"] == vexa.user_id
    assert vexa.update_user(vexa.user_id, max_concurrent_bots=2)["max_concurrent_bots"] == 2
    assert vexa.create_user("a@example.org")["id"] == vexa.user_id


def test_a_bot_lives_and_is_sent_away(vexa: VexaClient) -> None:
    meeting = vexa.request_bot_from_url("https://teams.live.com/meet/9398850880426?p=RBZCWdxyp85TpcKna8", language="en")
    assert (meeting["platform"], meeting["status"]) == ("teams", "reserved")
    (running,) = vexa.get_running_bots_status()
    assert running["native_meeting_id"] == "9398850880426"
    assert "message" in vexa.update_bot_config("teams", "9398850880426", language="es")
    assert "message" in vexa.stop_bot("teams", "9398850880426")
    assert "message" in vexa.stop_bot("teams", "9398850880426")


def test_a_refusal_says_why(vexa: VexaClient) -> None:
    vexa.request_bot("google_meet", "abc-defg-hij", bot_name="Notes")
    with pytest.raises(VexaClientError, match=r"429 .*: Maximum concurrent bots limit reached \(1\)"):
        vexa.request_bot("google_meet", "abc-defg-hik")
    with pytest.raises(VexaClientError, match="404"):
        vexa.stop_bot("google_meet", "abc-defg-hil")


def test_meetings_are_described(vexa: VexaClient) -> None:
    vexa.request_bot("google_meet", "abc-defg-hij")
    vexa.update_meeting_data("google_meet", "abc-defg-hij", name="Standup", participants=["A"], languages=["en"])
    found = vexa.get_meeting_by_id("google_meet", "abc-defg-hij")
    assert found is not None
    assert vexa.get_meeting_participants(found) == ["A"]
    with pytest.raises(VexaClientError, match="409"):
        vexa.delete_meeting("google_meet", "abc-defg-hij")


def test_a_webhook_is_set(vexa: VexaClient) -> None:
    assert vexa.set_webhook_url("https://example.org/hook")["data"] == {"webhook_url": "https://example.org/hook"}
