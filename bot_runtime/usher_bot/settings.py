"""The bot's settings: environment variables with the prefix `USHER_`, read once when the process starts.

Everything wrong is told at once, one sentence per variable, and values that are or may hold a secret are never
repeated. An empty variable counts as unset.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from usher_bot.errors import InvalidSettings
from usher_models.defaults import LOBBY_TIMEOUT_S, MAX_DURATION_S
from usher_models.platforms import Platform
from usher_models.platforms.secrets import secret_values
from usher_models.urls import is_server_url
from usher_models.wire import HEARTBEAT_INTERVAL_S_MAX, HEARTBEAT_INTERVAL_S_MIN, ConnectionId

PREFIX = "USHER_"


def _is_url(*schemes: str) -> Any:
    def check(value: str) -> str:
        if not is_server_url(value, schemes):
            raise ValueError("not such a URL")
        return value.rstrip("/")

    return check


def _is_redis_url(value: SecretStr) -> SecretStr:
    _is_url("redis", "rediss")(value.get_secret_value())
    return value


def _json_object(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


class Settings(BaseSettings):
    """One field per variable. The description completes the sentence "it must be …"."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    connection_id: Annotated[ConnectionId, Field(description="the connection id of the meeting's session")]
    meeting_id: Annotated[int, Field(ge=1, description="the meeting's number, such as 42")]
    callback_url: Annotated[
        str,
        AfterValidator(_is_url("http", "https")),
        Field(description="the callback server's base URL, such as http://usher-callbacks.usher.svc:8081"),
    ]
    token_file: Annotated[Path, Field(description="the path of the projected ServiceAccount token")]
    redis_url: Annotated[
        SecretStr | None,
        AfterValidator(lambda value: value and _is_redis_url(value)),
        Field(description="a redis:// or rediss:// URL, or empty"),
    ] = None
    platform: Annotated[Platform, Field(description=f"one of {', '.join(Platform)}")]
    native_meeting_id: Annotated[str, Field(max_length=255, description="the platform's own id of the meeting")]
    meeting_url: Annotated[
        SecretStr, Field(max_length=2048, description="the URL of the meeting, up to 2048 characters")
    ]
    passcode: Annotated[SecretStr | None, Field(description="the meeting's passcode, or empty")] = None
    bot_name: Annotated[str, Field(max_length=255, description="the name the bot shows, up to 255 characters")]
    language: Annotated[str | None, Field(max_length=64, description="a language code such as en, or empty")] = None
    task: Annotated[str | None, Field(max_length=64, description="a task such as transcribe, or empty")] = None
    driver: Annotated[Literal["simulated", "exec", "browser"], Field(description="one of simulated, exec, browser")]
    driver_options: Annotated[
        dict[str, Any], NoDecode, BeforeValidator(_json_object), Field(description="a JSON object")
    ] = {}
    lobby_timeout_s: Annotated[
        float, Field(gt=0, le=86_400, description="a number of seconds from above 0 to 86400")
    ] = LOBBY_TIMEOUT_S
    max_duration_s: Annotated[
        float, Field(gt=0, le=604_800, description="a number of seconds from above 0 to 604800")
    ] = MAX_DURATION_S
    leave_grace_s: Annotated[float, Field(gt=0, le=3_600, description="a number of seconds from above 0 to 3600")] = 30
    heartbeat_interval_s: Annotated[
        float,
        Field(
            ge=HEARTBEAT_INTERVAL_S_MIN,
            le=HEARTBEAT_INTERVAL_S_MAX,
            description=f"a number of seconds from {HEARTBEAT_INTERVAL_S_MIN:g} to {HEARTBEAT_INTERVAL_S_MAX:g}",
        ),
    ] = 30
    pod_uid: Annotated[str | None, Field(max_length=255, description="the pod's UID, or empty")] = None
    pod_name: Annotated[str | None, Field(max_length=255, description="the pod's name, or empty")] = None
    log_format: Annotated[Literal["json", "text"], Field(description="one of json, text")] = "json"
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
        Field(description="one of DEBUG, INFO, WARNING, ERROR"),
    ] = "INFO"
    termination_log: Annotated[Path, Field(description="a path")] = Path("/dev/termination-log")

    @property
    def secrets(self) -> list[str]:
        """The values that must never be logged or reported."""
        held = (self.redis_url, self.meeting_url, self.passcode)
        values = [secret.get_secret_value() for secret in held if secret]
        values += secret_values(self.meeting_url.get_secret_value())
        password = urlsplit(values[0]).password if self.redis_url else None
        return [*values, password] if password else values


def load_settings() -> Settings:
    """The settings from the environment. Raises InvalidSettings with one sentence per problem."""
    try:
        return Settings()
    except ValidationError as exc:
        raise InvalidSettings([_sentence(error) for error in exc.errors(include_url=False)]) from None


def _sentence(error: Any) -> str:
    name = str(error["loc"][0]).removeprefix(PREFIX.lower()).lower()
    field = Settings.model_fields[name]
    right = f"it must be {field.description}."
    if error["type"] == "missing":
        return f"{PREFIX}{name.upper()} is missing; {right}"
    if name in _NEVER_REPEATED:
        return f"{PREFIX}{name.upper()} is wrong; {right}"
    return f"{PREFIX}{name.upper()} is {str(error['input'])[:80]!r}; {right}"


_NEVER_REPEATED = {"redis_url", "meeting_url", "passcode", "driver_options", "callback_url"}
