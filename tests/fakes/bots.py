"""A bot's row without a database: a plain one, with whatever a test wants to be different."""

from datetime import UTC, datetime
from typing import Any

from usher_models.db.bots import Bot
from usher_models.states import Desired, Status

RESERVED_AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def a_bot_row(**fields: Any) -> Bot:
    """Meeting 1 of user 7, reserved by the BotRequest bots/standup."""
    plain: dict[str, Any] = {
        "meeting_id": 1,
        "user_id": 7,
        "platform": "zoom",
        "native_id": "85123456789",
        "status": Status.RESERVED,
        "connection_id": "connection-1",
        "request_namespace": "bots",
        "request_name": "standup",
        "request_uid": "uid-of-standup",
        "request_generation": 1,
        "spec": {"userId": 7, "platform": "zoom", "nativeMeetingId": "85123456789"},
        "job_name": "bot-1",
        "job_created_at": None,
        "pod_uid": None,
        "desired": Desired.RUN,
        "leave_requested_at": None,
        "leave_reason": None,
        "config": {"bot_name": "Usher", "meeting_url": "https://zoom.us/j/85123456789"},
        "config_generation": 0,
        "applied_generation": 0,
        "stage": "scheduling",
        "participants": None,
        "lobby_timeout_s": 900,
        "max_duration_s": 14_400,
        "reserved_at": RESERVED_AT,
        "started_at": None,
        "joined_at": None,
        "ended_at": None,
        "status_changed_at": RESERVED_AT,
        "reason": "requested",
        "message": "A slot is reserved and the bot is on its way.",
        "fault": None,
        "revision": 1,
        "written_revision": 0,
        "written_status": None,
    }
    return Bot(**plain | fields)
