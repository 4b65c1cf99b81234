"""From the body of POST /bots to a reservation whose spec the cluster accepts."""

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.objects import a_botrequest
from usher_models.db.reservations import Request
from usher_models.defaults import BOT_NAME, LOBBY_TIMEOUT_S, MAX_DURATION_S, REST_REQUEST_TTL_S
from usher_models.errors import InvalidMeeting
from usher_models.states import Source
from usher_operator.api.reservation import to_reservation
from usher_operator.api.schemas.bots import BotCreate
from usher_operator.kube.botrequest import BotRequest, BotRequestSpec
from usher_operator.lifecycle.reservation import of_request


def reserved(**body: object) -> Request:
    return to_reservation(BotCreate.model_validate(body), user_id=7, connection_id="12345678-9", namespace="bots")


def test_the_spec_is_one_of_a_botrequest() -> None:
    wanted = reserved(platform="zoom", native_meeting_id="85123456789", passcode="p", language="de")
    spec = BotRequestSpec.model_validate(wanted.spec)
    assert (spec.user_id, spec.connection_id, spec.native_meeting_id) == (7, "12345678-9", "85123456789")
    assert (wanted.request_namespace, wanted.request_name) == ("bots", "meeting-{id}-12345678")
    assert wanted.config["meeting_url"] == "https://zoom.us/j/85123456789?pwd=p"


def test_milliseconds_become_seconds() -> None:
    leave = {"max_bot_time": 120_000, "max_wait_for_admission": 30_000}
    wanted = reserved(platform="jitsi", native_meeting_id="standup", automatic_leave=leave)
    assert (wanted.max_duration_s, wanted.lobby_timeout_s) == (120, 30)
    assert (wanted.spec["maxDurationSeconds"], wanted.spec["lobbyTimeoutSeconds"]) == (120, 30)


def test_a_passcode_inside_a_zoom_id_is_taken_out() -> None:
    wanted = reserved(platform="zoom", native_meeting_id="85123456789?pwd=abc")
    assert (wanted.meeting.native_id, wanted.meeting.passcode) == ("85123456789", "abc")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, "Name the meeting by platform and nativeMeetingId, or by meetingUrl"),
        ({"platform": "zoom"}, "nativeMeetingId is missing"),
        ({"platform": "teams", "native_meeting_id": "a" * 16}, "needs its meetingUrl"),
    ],
)
def test_what_names_no_meeting_is_refused(body: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidMeeting, match=why):
        reserved(**body)


def test_a_bare_body_leaves_the_defaults_to_the_schema() -> None:
    wanted = reserved(platform="jitsi", native_meeting_id="standup")
    assert wanted.spec == {
        "userId": 7,
        "connectionId": "12345678-9",
        "platform": "jitsi",
        "nativeMeetingId": "standup",
        "requestTtlSecondsAfterFinished": REST_REQUEST_TTL_S,
    }
    assert (wanted.lobby_timeout_s, wanted.max_duration_s) == (LOBBY_TIMEOUT_S, MAX_DURATION_S)
    assert wanted.config["bot_name"] == BOT_NAME


def test_both_ways_in_reserve_the_same() -> None:
    body = {"platform": "zoom", "native_meeting_id": "85123456789", "passcode": "p", "language": "de"}
    by_rest = reserved(**body)
    request = BotRequest.from_object(a_botrequest("meeting-{id}-12345678", uid="u-1") | {"spec": by_rest.spec})
    by_request = of_request(request, user_id=7, default_driver="browser")
    own: dict[str, Any] = {"source": Source.API, "request_uid": None, "request_generation": 0}
    assert replace(by_request, **own) == by_rest


def test_the_time_alone_reaches_the_spec() -> None:
    leave = {"no_one_joined_timeout": 120_000, "everyone_left_timeout": 0}
    wanted = reserved(platform="jitsi", native_meeting_id="standup", automatic_leave=leave)
    assert (wanted.spec["noOneJoinedTimeoutSeconds"], wanted.spec["leftAloneTimeoutSeconds"]) == (120, 0)


def test_the_language_auto_is_no_language() -> None:
    wanted = reserved(platform="jitsi", native_meeting_id="standup", language="auto")
    assert "language" not in wanted.spec


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("teams.microsoft.com", "https://teams.microsoft.com/meet/9361234567890?p=abc"),
        ("gov.teams.microsoft.us", "https://gov.teams.microsoft.us/meet/9361234567890?p=abc"),
        (None, "https://teams.live.com/meet/9361234567890?p=abc"),
    ],
)
def test_a_teams_meeting_is_joined_on_its_own_host(host: str | None, url: str) -> None:
    wanted = reserved(platform="teams", native_meeting_id="9361234567890", passcode="abc", teams_base_host=host)
    assert wanted.config["meeting_url"] == url


@pytest.mark.parametrize(
    "host", ["evil.example", "teams.microsoft.com/x@evil.example", "teams.microsoft.com.evil.example"]
)
def test_a_host_that_is_not_of_teams_is_refused(host: str) -> None:
    with pytest.raises(InvalidMeeting, match=r"not a meeting|is no Google Meet, Teams, Zoom or Jitsi link"):
        reserved(platform="teams", native_meeting_id="9361234567890", teams_base_host=host)
