"""Whatever the REST API accepts, the schema of BotRequests accepts: a slot is never taken for a request that cannot be
made."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from tests.unit.models.links import ROWS
from usher_models.db.reservations import Request
from usher_models.errors import InvalidMeeting
from usher_models.platforms import MeetingRef, Platform, resolve
from usher_operator.api.reservation import to_reservation
from usher_operator.api.schemas.bots import BotCreate
from usher_operator.kube.botrequest import BotRequestSpec

CRD = Path(__file__).resolve().parents[4] / "crds" / "botrequests.yaml"
CONNECTION_ID = "6a2f1c38-64a5-5c52-9d0e-2b1f0f6f7d11"


def _schema() -> dict[str, Any]:
    (version,) = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    spec: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    # A field that the schema does not name would be dropped in silence.
    return spec | {"additionalProperties": False}


SCHEMA = Draft202012Validator(_schema())


def reserved(body: dict[str, Any]) -> Request:
    wanted = BotCreate.model_validate(body)
    return to_reservation(wanted, user_id=7, connection_id=CONNECTION_ID, namespace="bots")


def refusals(spec: dict[str, Any]) -> list[str]:
    """What the API server would say: the schema, and the rules that look at several fields."""
    told = [f"{error.json_path}: {error.message}" for error in SCHEMA.iter_errors(spec)]
    if ("userId" in spec) == ("userEmail" in spec):
        told.append("set exactly one of userId and userEmail")
    if "meetingUrl" not in spec and not {"platform", "nativeMeetingId"} <= spec.keys():
        told.append("name the meeting by platform and nativeMeetingId, or by meetingUrl")
    if ("command" in spec) != (spec.get("driver") == "exec"):
        told.append("driver exec needs a command, and a command needs driver exec")
    if spec["connectionId"].startswith("meeting:"):
        told.append("connectionId must not begin with meeting:")
    return told


def meeting_of(spec: dict[str, Any]) -> MeetingRef:
    """What the operator makes of the request."""
    parsed = BotRequestSpec.model_validate(spec)
    return resolve(
        platform=parsed.platform, native_id=parsed.native_meeting_id, url=parsed.meeting_url, passcode=parsed.passcode
    )


ANY_TEXT = st.text(max_size=300)
LINK = st.sampled_from([row.link for _, row in ROWS])
DISGUISED = st.builds("{}{}{}".format, st.sampled_from(["", " ", "<", "\n", "\ufeff", "("]), LINK, st.text(max_size=5))
LONG = st.builds("https://zoom.us/j/85123456789?pwd={}".format, st.text("aä%&", min_size=200, max_size=2100))
IDS = st.sampled_from(
    ["85123456789", "851 2345 6789", "85123456789?pwd=x", "ABC-DEFG-HIJ", "abcdefghij", "Weekly", "a@b.org"]
)
MILLISECONDS = st.integers(-1, 90_000_000)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "platform": st.sampled_from([*Platform, "webex", None]),
        "native_meeting_id": st.none() | ANY_TEXT | IDS,
        "meeting_url": st.none() | ANY_TEXT | LINK | DISGUISED | LONG,
        "passcode": st.none() | ANY_TEXT,
        "bot_name": st.none() | ANY_TEXT,
        "language": st.none() | st.from_regex(r"[a-z]{2,4}(-[A-Za-z0-9]{1,9}){0,6}\Z") | ANY_TEXT,
        "task": st.none() | st.from_regex(r"[a-z_]{1,40}\Z") | ANY_TEXT,
        "automatic_leave": st.none()
        | st.fixed_dictionaries({}, optional={"max_bot_time": MILLISECONDS, "max_wait_for_admission": MILLISECONDS}),
    },
)


@settings(max_examples=60)
@given(body=BODIES)
@example(body={"meeting_url": "HTTPS://ZOOM.us/j/85100000099"})
@example(body={"meeting_url": "https://zoom.us/j/85100000099?pwd=" + "x" * 300})
@example(body={"meeting_url": " https://zoom.us/j/85100000099\n"})
@example(body={"meeting_url": "https://zoom.us/j/85100000099", "passcode": "ä" * 255})
@example(body={"platform": "jitsi", "native_meeting_id": "\U0001f600" * 200})
@example(body={"platform": "zoom", "native_meeting_id": "85123456789?pwd=" + "x" * 239})
@example(body={"meeting_url": "https://zoom.us/j/85100000099", "bot_name": "", "passcode": ""})
def test_what_rest_accepts_the_cluster_accepts(body: dict[str, Any]) -> None:
    try:
        wanted = reserved(body)
    except (ValidationError, InvalidMeeting):
        return
    assert refusals(wanted.spec) == []
    assert meeting_of(wanted.spec) == wanted.meeting
    assert len(wanted.meeting.url) <= 2048
    assert len(wanted.meeting.native_id) <= 255


@pytest.mark.parametrize(
    ("platform", "link"), [(name, row) for name, row in ROWS], ids=lambda one: getattr(one, "link", one)
)
def test_a_link_of_the_table_becomes_a_request_of_the_same_meeting(platform: str, link: Any) -> None:
    wanted = reserved({"platform": platform, "meeting_url": link.link, "passcode": link.beside})
    assert refusals(wanted.spec) == []
    assert meeting_of(wanted.spec) == wanted.meeting
    assert (wanted.spec["meetingUrl"], wanted.config["meeting_url"]) == (link.bot_link, link.bot_link)


def test_the_check_sees_what_a_cluster_refuses() -> None:
    assert refusals({"userId": 7, "connectionId": "x", "meetingUrl": "HTTPS://zoom.us/j/85123456789"}) != []
    assert refusals({"userId": 7, "connectionId": "meeting:1", "platform": "zoom", "passcode": "x" * 256}) != []
