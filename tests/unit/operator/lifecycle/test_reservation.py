"""From a BotRequest to what is reserved for it."""

from typing import Any

import pytest

from tests.fakes.objects import a_botrequest
from usher_models.errors import InvalidMeeting
from usher_models.states import Source
from usher_operator.kube.botrequest import BotRequest
from usher_operator.lifecycle.reservation import of_request


def a_request(**fields: Any) -> BotRequest:
    return BotRequest.from_object(a_botrequest(**fields))


def test_the_reservation_has_all_that_the_row_needs() -> None:
    request = a_request(passcode="123", language="de", generation=4, connectionId="c-1", uid="u-1")
    wanted = of_request(request, user_id=9, default_driver="browser")
    assert (wanted.user_id, wanted.connection_id, wanted.source) == (9, "c-1", Source.OPERATOR)
    assert (wanted.meeting.platform, wanted.meeting.native_id) == ("zoom", "85123456789")
    assert wanted.config == {
        "bot_name": "Usher",
        "driver": "browser",
        "meeting_url": "https://zoom.us/j/85123456789?pwd=123",
        "passcode": "123",
        "language": "de",
    }
    assert (wanted.request_namespace, wanted.request_name, wanted.request_uid) == ("bots", "standup", "u-1")
    assert (wanted.request_generation, wanted.spec) == (4, request.raw_spec)


@pytest.mark.parametrize(
    ("fields", "driver"),
    [({}, "exec"), ({"driver": "browser"}, "browser"), ({"simulation": {"bootSeconds": 0}}, "simulated")],
)
def test_the_row_notes_which_driver_the_request_gets(fields: dict[str, Any], driver: str) -> None:
    wanted = of_request(a_request(**fields), user_id=9, default_driver="exec")
    assert wanted.config["driver"] == driver


def test_a_meeting_that_is_none_is_refused_with_the_name_of_its_field() -> None:
    with pytest.raises(InvalidMeeting, match="'abc' is not a zoom meeting id") as refused:
        of_request(a_request(nativeMeetingId="abc"), user_id=1, default_driver="browser")
    assert refused.value.field == "nativeMeetingId"
