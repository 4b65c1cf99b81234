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


@pytest.mark.parametrize("body", [{}, {"platform": "zoom"}, {"platform": "teams", "native_meeting_id": "a" * 16}])
def test_what_names_no_meeting_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(InvalidMeeting):
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
    by_request = of_request(request, user_id=7)
    own: dict[str, Any] = {"source": Source.API, "request_uid": None, "request_generation": 0}
    assert replace(by_request, **own) == by_rest
