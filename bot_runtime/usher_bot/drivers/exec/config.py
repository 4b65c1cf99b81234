"""What the program under the exec driver is told: its environment, with `BOT_CONFIG` as Vexa's bots read it.

Pure functions. The child gets everything of ours except the token: it speaks to the control plane through us, and the
address it is given is local.
"""

import json
from collections.abc import Mapping
from typing import Any

from usher_bot.settings import Settings

CALLBACK_PATH = "/bots/internal/callback"
# How long Vexa's bots stay alone in a meeting, in milliseconds: their own defaults.
NO_ONE_JOINED_MS = 120_000
EVERYONE_LEFT_MS = 60_000


def child_environment(
    settings: Settings, *, own: Mapping[str, str], options: Mapping[str, str], local_url: str
) -> dict[str, str]:
    """The child's environment: ours without the token, the bot's configuration, and last the driver's options."""
    inherited = {name: value for name, value in own.items() if name != "USHER_TOKEN_FILE"}
    config = json.dumps(bot_config(settings, local_url=local_url))
    return {**inherited, "BOT_CONFIG": config, "USHER_LOCAL_CALLBACK_URL": local_url, **options}


def bot_config(settings: Settings, *, local_url: str) -> dict[str, Any]:
    """The configuration of one bot in Vexa's shape; what has no value is left out."""
    config = {
        "meeting_id": settings.meeting_id,
        "platform": str(settings.platform),
        "meetingUrl": settings.meeting_url.get_secret_value(),
        "botName": settings.bot_name,
        "token": "",
        "nativeMeetingId": settings.native_meeting_id,
        "connectionId": settings.connection_id,
        "language": settings.language,
        "task": settings.task,
        "passcode": settings.passcode.get_secret_value() if settings.passcode else None,
        "redisUrl": settings.redis_url.get_secret_value() if settings.redis_url else "",
        "automaticLeave": {
            "waitingRoomTimeout": int(settings.lobby_timeout_s * 1000),
            "noOneJoinedTimeout": NO_ONE_JOINED_MS,
            "everyoneLeftTimeout": EVERYONE_LEFT_MS,
        },
        "botManagerCallbackUrl": f"{local_url}{CALLBACK_PATH}/exited",
        "botManagerStartedCallbackUrl": f"{local_url}{CALLBACK_PATH}/started",
    }
    return {name: value for name, value in config.items() if value is not None}
