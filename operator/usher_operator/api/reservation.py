"""From the body of `POST /bots` to the spec of a BotRequest, and from there to a reservation like any other."""

from collections.abc import Sequence
from urllib.parse import quote

from usher_models import defaults
from usher_models.db.reservations import Request
from usher_models.platforms import Platform, resolve
from usher_models.states import Source
from usher_operator.api.schemas.bots import AutomaticLeave, BotCreate
from usher_operator.kube.botrequest import BotRequestSpec
from usher_operator.kube.drivers import BROWSER
from usher_operator.lifecycle import reservation
from usher_operator.lifecycle.create_request import name_template
from usher_operator.lifecycle.reservation import RequestIdentity


def to_reservation(
    body: BotCreate,
    *,
    user_id: int,
    connection_id: str,
    namespace: str,
    allowed_private_hosts: Sequence[str] = (),
    default_driver: str = BROWSER,
) -> Request:
    """The reservation request for a body. Raises InvalidMeeting."""
    spec = to_spec(body, user_id=user_id, connection_id=connection_id, allowed_private_hosts=allowed_private_hosts)
    identity = RequestIdentity(connection_id=connection_id, namespace=namespace, name=name_template(connection_id))
    return reservation.to_reservation(
        spec,
        identity,
        raw_spec=spec.as_given(),
        user_id=user_id,
        source=Source.API,
        allowed_private_hosts=allowed_private_hosts,
        default_driver=default_driver,
    )


def to_spec(
    body: BotCreate, *, user_id: int, connection_id: str, allowed_private_hosts: Sequence[str] = ()
) -> BotRequestSpec:
    """The spec of the BotRequest that will be created. Raises InvalidMeeting.

    It has the canonical link with its passcode: what a cluster accepts does not depend on how the link was pasted. A
    field that the body omits is omitted here, too, and gets the default of the schema.
    """
    native_id, passcode = _id_and_passcode(body)
    url = _url(body)
    meeting = resolve(
        platform=body.platform,
        native_id=native_id,
        url=url,
        passcode=passcode,
        allowed_private_hosts=allowed_private_hosts,
    )
    given: dict[str, object] = {
        "user_id": user_id,
        "connection_id": connection_id,
        "platform": str(meeting.platform),
        "native_meeting_id": meeting.native_id,
        "meeting_url": meeting.url if url else None,
        "passcode": passcode,
        "bot_name": body.bot_name or None,
        # Vexa's `auto` is what a bot does without a language.
        "language": None if body.language == "auto" else body.language,
        "task": body.task,
        "request_ttl_seconds_after_finished": defaults.REST_REQUEST_TTL_S,
    }
    given |= _limits(body.automatic_leave)
    return BotRequestSpec.model_validate({field: value for field, value in given.items() if value is not None})


def _id_and_passcode(body: BotCreate) -> tuple[str | None, str | None]:
    native_id, passcode = body.native_meeting_id, body.passcode
    # The oldest clients send a Zoom passcode as part of the id.
    if body.platform is Platform.ZOOM and native_id and "?pwd=" in native_id:
        native_id, _, in_id = native_id.partition("?pwd=")
        passcode = passcode or in_id
    return native_id, passcode or None


def _url(body: BotCreate) -> str | None:
    """The link; that of a Teams meeting on a host of its own is made of host and id."""
    if body.meeting_url or not body.teams_base_host or not body.native_meeting_id:
        return body.meeting_url
    return f"https://{body.teams_base_host}/meet/{quote(body.native_meeting_id, safe='')}"


def _limits(leave: AutomaticLeave | None) -> dict[str, int | None]:
    leave = leave or AutomaticLeave()
    return {
        "lobby_timeout_seconds": _seconds(leave.max_wait_for_admission),
        "max_duration_seconds": _seconds(leave.max_bot_time),
        "no_one_joined_timeout_seconds": _seconds(leave.no_one_joined_timeout),
        "left_alone_timeout_seconds": _seconds(leave.max_time_left_alone),
    }


def _seconds(milliseconds: int | None) -> int | None:
    return milliseconds // 1000 if milliseconds is not None else None
