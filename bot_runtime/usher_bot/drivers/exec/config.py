"""The environment of the program under the exec driver, with the configurations that Vexa's bots read.

Pure functions. The child gets the bot's environment without the token: it reports through the bot, at a local address.
What only the fleet's operator knows (a key for the transcription service, a Redis for transcripts) comes from variables
of the container, which `PASSED_ON` names.
"""

import json
from collections.abc import Mapping
from typing import Any

from usher_bot.settings import Settings
from usher_models.exec_options import ExecOptions

CALLBACK_PATH = "/bots/internal/callback"
# The container's variable for each field of the configuration.
PASSED_ON = {
    "token": "BOT_TOKEN",
    "transcriptionServiceUrl": "TRANSCRIPTION_SERVICE_URL",
    "transcriptionServiceToken": "TRANSCRIPTION_SERVICE_TOKEN",
    "transcriptionModel": "TRANSCRIPTION_MODEL",
    "redisUrl": "REDIS_URL",
}
_SECRET_NAMES = ("TOKEN", "SECRET", "PASSWORD", "KEY", "REDIS_URL")


def child_environment(
    settings: Settings, *, own: Mapping[str, str], options: ExecOptions, local_url: str
) -> dict[str, str]:
    """The child's environment: the bot's own without the token, the configurations with the fields that the driver's
    options add or replace, and last the variables of these options."""
    inherited = {name: value for name, value in own.items() if name != "USHER_TOKEN_FILE"}
    config = bot_config(settings, options=options, environment={**inherited, **options.env}, local_url=local_url)
    return {
        **inherited,
        "BOT_CONFIG": json.dumps(config | _older_urls(local_url) | options.config),
        "VEXA_BOT_CONFIG": json.dumps(config | _newest_url(local_url) | options.config),
        "USHER_LOCAL_CALLBACK_URL": local_url,
        **options.env,
    }


def bot_config(
    settings: Settings, *, options: ExecOptions, environment: Mapping[str, str], local_url: str
) -> dict[str, Any]:
    """The fields that every version knows, without those that have no value. The newest bots refuse any other."""
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
        "automaticLeave": _automatic_leave(settings, options),
        **{field: environment[name] for field, name in PASSED_ON.items() if environment.get(name)},
    }
    return {name: value for name, value in config.items() if value is not None}


def own_redis(environment: Mapping[str, str], settings: Settings) -> str:
    """The URL of a Redis of the program's own; empty if it has none, or that of its commands."""
    url = environment.get(PASSED_ON["redisUrl"], "")
    return "" if settings.redis_url and url == settings.redis_url.get_secret_value() else url


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """The values that a program must not repeat in a report, recognised by the names of their variables."""
    return [value for name, value in environment.items() if any(word in name.upper() for word in _SECRET_NAMES)]


def _automatic_leave(settings: Settings, options: ExecOptions) -> dict[str, int]:
    return {
        "waitingRoomTimeout": int(settings.lobby_timeout_s * 1000),
        "noOneJoinedTimeout": int(options.no_one_joined_s * 1000),
        "everyoneLeftTimeout": int(options.everyone_left_s * 1000),
    }


def _newest_url(local_url: str) -> dict[str, str]:
    return {"meetingApiCallbackUrl": f"{local_url}{CALLBACK_PATH}/lifecycle"}


def _older_urls(local_url: str) -> dict[str, str]:
    """The callback URLs of the versions before the newest, which make others of them by replacing `/exited`."""
    exited = f"{local_url}{CALLBACK_PATH}/exited"
    return {
        "botManagerCallbackUrl": exited,
        "botManagerStartedCallbackUrl": f"{local_url}{CALLBACK_PATH}/started",
        "meetingApiCallbackUrl": exited,
    }
