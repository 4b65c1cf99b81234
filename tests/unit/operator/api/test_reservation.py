"""From the body of POST /bots to a reservation whose spec the cluster accepts."""

import pytest

from usher_models.db.reservations import Request
from usher_models.errors import InvalidMeeting
from usher_operator.api.reservation import to_reservation
from usher_operator.api.schemas.bots import BotCreate
from usher_operator.kube.botrequest import BotRequestSpec


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
