"""From the body of `POST /bots` to a reservation and the spec of its BotRequest."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from usher_models.db.reservations import Request
from usher_models.platforms import MeetingRef, Platform, resolve
from usher_models.states import Source
from usher_operator.api.schemas.bots import BotCreate
from usher_operator.lifecycle.create_request import name_template

DEFAULT_LOBBY_S = 900
DEFAULT_DURATION_S = 14_400
DEFAULT_BOT_NAME = "Usher"


def to_reservation(
    body: BotCreate,
    *,
    user_id: int,
    connection_id: str,
    namespace: str,
    allowed_private_hosts: Sequence[str] = (),
) -> Request:
    """The reservation request for a body. Raises InvalidMeeting.

    The spec has the canonical link with its passcode: what a cluster accepts does not depend on how the link was
    pasted.
    """
    native_id, passcode = _id_and_passcode(body)
    meeting = resolve(
        platform=body.platform,
        native_id=native_id,
        url=_url(body),
        passcode=passcode,
        allowed_private_hosts=allowed_private_hosts,
    )
    spec = _without_none(
        {
            "userId": user_id,
            "connectionId": connection_id,
            "platform": str(meeting.platform),
            "nativeMeetingId": meeting.native_id,
            "meetingUrl": meeting.url if _url(body) else None,
            "passcode": passcode,
            "botName": body.bot_name or DEFAULT_BOT_NAME,
            "language": _language(body),
            "task": body.task,
            "lobbyTimeoutSeconds": _lobby_s(body),
            "maxDurationSeconds": _duration_s(body),
        }
    )
    return Request(
        connection_id=connection_id,
        user_id=user_id,
        meeting=meeting,
        source=Source.API,
        lobby_timeout_s=_lobby_s(body),
        max_duration_s=_duration_s(body),
        config=_config(body, meeting),
        spec=spec,
        request_namespace=namespace,
        request_name=name_template(connection_id),
    )


def _id_and_passcode(body: BotCreate) -> tuple[str | None, str | None]:
    native_id, passcode = body.native_meeting_id, body.passcode
    # The oldest clients send a Zoom passcode as part of the id.
    if body.platform is Platform.ZOOM and native_id and "?pwd=" in native_id:
        native_id, _, embedded = native_id.partition("?pwd=")
        passcode = passcode or embedded
    return native_id, passcode or None


def _config(body: BotCreate, meeting: MeetingRef) -> dict[str, Any]:
    return _without_none(
        {
            "bot_name": body.bot_name or DEFAULT_BOT_NAME,
            "meeting_url": meeting.url,
            "passcode": meeting.passcode,
            "language": _language(body),
            "task": body.task,
        }
    )


def _language(body: BotCreate) -> str | None:
    """Vexa's `auto` is what a bot does without a language."""
    return None if body.language == "auto" else body.language


def _url(body: BotCreate) -> str | None:
    """The link; that of a Teams meeting on a host of its own is made of host and id."""
    if body.meeting_url or not body.teams_base_host or not body.native_meeting_id:
        return body.meeting_url
    return f"https://{body.teams_base_host}/meet/{quote(body.native_meeting_id, safe='')}"


def _lobby_s(body: BotCreate) -> int:
    budget = body.automatic_leave.max_wait_for_admission if body.automatic_leave else None
    return budget // 1000 if budget else DEFAULT_LOBBY_S


def _duration_s(body: BotCreate) -> int:
    limit = body.automatic_leave.max_bot_time if body.automatic_leave else None
    return limit // 1000 if limit else DEFAULT_DURATION_S


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
