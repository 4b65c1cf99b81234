"""From the spec of a BotRequest to a reservation: the one way in for `kubectl apply` and for the REST API."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from usher_models.db.reservations import Request
from usher_models.platforms import MeetingRef, resolve
from usher_models.states import Source
from usher_operator.kube.botrequest import BotRequest, BotRequestSpec
from usher_operator.kube.drivers import driver_name

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RequestIdentity:
    """The BotRequest of a reservation. The REST API reserves before it creates one: then there is no UID yet, and
    `{id}` in the name stands for the id of the meeting."""

    connection_id: str
    namespace: str
    name: str
    uid: str | None = None
    generation: int = 0


def of_request(
    request: BotRequest, *, user_id: int, default_driver: str, allowed_private_hosts: Sequence[str] = ()
) -> Request:
    """What to reserve for a BotRequest that exists. Raises InvalidRequest, InvalidMeeting."""
    identity = RequestIdentity(
        connection_id=request.connection_id,
        namespace=request.namespace,
        name=request.name,
        uid=request.uid,
        generation=request.generation,
    )
    return to_reservation(
        request.spec(),
        identity,
        raw_spec=request.raw_spec,
        user_id=user_id,
        source=Source.OPERATOR,
        allowed_private_hosts=allowed_private_hosts,
        default_driver=default_driver,
    )


def to_reservation(
    spec: BotRequestSpec,
    identity: RequestIdentity,
    *,
    raw_spec: Json,
    user_id: int,
    source: Source,
    default_driver: str,
    allowed_private_hosts: Sequence[str] = (),
) -> Request:
    """What to reserve for a spec; `raw_spec` is kept with the row. Raises InvalidMeeting."""
    meeting = resolve(
        platform=spec.platform,
        native_id=spec.native_meeting_id,
        url=spec.meeting_url,
        passcode=spec.passcode,
        allowed_private_hosts=allowed_private_hosts,
    )
    return Request(
        connection_id=identity.connection_id,
        user_id=user_id,
        meeting=meeting,
        source=source,
        lobby_timeout_s=spec.lobby_timeout_seconds,
        max_duration_s=spec.max_duration_seconds,
        config=_config(spec, meeting, driver=driver_name(spec, default=default_driver)),
        spec=raw_spec,
        request_namespace=identity.namespace,
        request_name=identity.name,
        request_uid=identity.uid,
        request_generation=identity.generation,
        request_ttl_s=spec.request_ttl_seconds_after_finished,
    )


def _config(spec: BotRequestSpec, meeting: MeetingRef, *, driver: str) -> Json:
    config = {
        "bot_name": spec.bot_name,
        "driver": driver,
        "meeting_url": meeting.url,
        "passcode": meeting.passcode,
    }
    return {key: value for key, value in (config | spec.mutable_config).items() if value is not None}
