"""From the body of `POST /bots` to the spec of a BotRequest, and from there to a reservation like any other."""

from usher_models import defaults
from usher_models.db.reservations import Request
from usher_models.platforms import MeetingRef, Platform, resolve
from usher_models.states import Source
from usher_operator.api.schemas.requests import AutomaticLeave, BotCreate
from usher_operator.kube.botrequest import BotRequestSpec
from usher_operator.lifecycle import reservation
from usher_operator.lifecycle.create_request import name_template
from usher_operator.lifecycle.reservation import RequestIdentity


def to_reservation(body: BotCreate, *, user_id: int, connection_id: str, namespace: str) -> Request:
    """What to reserve. Raises InvalidMeeting."""
    spec = to_spec(body, user_id=user_id, connection_id=connection_id)
    identity = RequestIdentity(connection_id=connection_id, namespace=namespace, name=name_template(connection_id))
    return reservation.to_reservation(spec, identity, raw_spec=spec.as_given(), user_id=user_id, source=Source.API)


def to_spec(body: BotCreate, *, user_id: int, connection_id: str) -> BotRequestSpec:
    """The spec of the BotRequest that will be created. What the body leaves out is left out, too, and gets the default
    of the schema. Raises InvalidMeeting."""
    meeting = _meeting(body)
    given: dict[str, object] = {
        "user_id": user_id,
        "connection_id": connection_id,
        "platform": str(meeting.platform),
        "native_meeting_id": meeting.native_id,
        "meeting_url": body.meeting_url or None,
        "passcode": meeting.passcode,
        "bot_name": body.bot_name or None,
        "language": body.language,
        "task": body.task,
        "request_ttl_seconds_after_finished": defaults.REST_REQUEST_TTL_S,
    }
    given |= _limits(body.automatic_leave)
    return BotRequestSpec.model_validate({field: value for field, value in given.items() if value is not None})


def _meeting(body: BotCreate) -> MeetingRef:
    native_id, passcode = body.native_meeting_id, body.passcode
    # The oldest clients hand a Zoom passcode over as a part of the id.
    if body.platform is Platform.ZOOM and native_id and "?pwd=" in native_id:
        native_id, _, in_id = native_id.partition("?pwd=")
        passcode = passcode or in_id
    return resolve(platform=body.platform, native_id=native_id, url=body.meeting_url, passcode=passcode or None)


def _limits(leave: AutomaticLeave | None) -> dict[str, int | None]:
    leave = leave or AutomaticLeave()
    return {
        "lobby_timeout_seconds": _seconds(leave.max_wait_for_admission),
        "max_duration_seconds": _seconds(leave.max_bot_time),
    }


def _seconds(milliseconds: int | None) -> int | None:
    return milliseconds // 1000 if milliseconds else None
