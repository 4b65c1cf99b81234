"""Every setting of the control plane: read once from `USHER_…` environment variables at the start of a process.

A wrong or missing one stops the start with a sentence that names the variable. Secrets are `SecretStr`, so that they
never reach a log. Durations are seconds.
"""

import json
from typing import Self

from pydantic import SecretStr, ValidationError, ValidationInfo, field_validator, model_validator

from usher_models.db.connecting import is_database_url
from usher_models.urls import is_server_url
from usher_models.wire import short_command
from usher_operator.settings.groups import (
    ENV_PREFIX,
    ApiSettings,
    BotSettings,
    DatabaseSettings,
    LogSettings,
    ReconcilerSettings,
    RedisSettings,
    ServerSettings,
    SilenceSettings,
    TokenSettings,
    WebhookSettings,
)

__all__ = [
    "ENV_PREFIX",
    "ApiSettings",
    "BotSettings",
    "DatabaseSettings",
    "LogSettings",
    "ReconcilerSettings",
    "RedisSettings",
    "ServerSettings",
    "Settings",
    "SettingsInvalid",
    "SilenceSettings",
    "TokenSettings",
    "WebhookSettings",
    "load",
]

_EXAMPLES = {
    "bot_class": '{"envFrom": [{"secretRef": {"name": "bot"}}]}',
    "browser_options": '{"locale": "en-US"}',
    "browser_resources": '{"limits": {"memory": "1Gi"}}',
}


class SettingsInvalid(Exception):
    """The settings are wrong or missing; the message has one line for each."""


class Settings(
    LogSettings,
    ServerSettings,
    WebhookSettings,
    ApiSettings,
    ReconcilerSettings,
    SilenceSettings,
    TokenSettings,
    BotSettings,
    RedisSettings,
    DatabaseSettings,
):
    """Every group together; a component asks for the groups it reads."""

    @field_validator(
        "namespaces",
        "allowed_images",
        "allowed_priority_classes",
        "allowed_private_meeting_hosts",
        "allowed_tolerations",
        "token_issuers",
        "webhook_allowed_hosts",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("namespaces")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one namespace")
        return value

    @field_validator("default_command", mode="before")
    @classmethod
    def _command(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            words = json.loads(value) if value.strip() else []
        except ValueError as exc:
            raise ValueError('must be a JSON list such as ["node", "/app/bot.js"]') from exc
        return tuple(words) if isinstance(words, list) else words

    @field_validator("bot_class", "browser_options", "browser_resources", mode="before")
    @classmethod
    def _json(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value.strip() else {}
        except ValueError as exc:
            raise ValueError(f"must be a JSON object such as {_EXAMPLES[info.field_name or '']}") from exc

    @field_validator("default_command")
    @classmethod
    def _short(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(short_command(list(value)))

    @field_validator("database_url")
    @classmethod
    def _psycopg(cls, value: SecretStr) -> SecretStr:
        if not is_database_url(value.get_secret_value()):
            raise ValueError("must look like postgresql+psycopg://user:password@host:5432/name")
        return value

    @field_validator("database_session_url")
    @classmethod
    def _psycopg_or_empty(cls, value: SecretStr) -> SecretStr:
        return cls._psycopg(value) if value.get_secret_value() else value

    @field_validator("admin_api_key", "gateway_secret")
    @classmethod
    def _long(cls, value: SecretStr) -> SecretStr:
        secret = value.get_secret_value()
        if secret and (len(secret) < 16 or not (secret.isascii() and secret.isprintable())):
            raise ValueError("must have at least 16 printable ASCII characters, or be empty")
        return value

    @field_validator("media_upstream")
    @classmethod
    def _http(cls, value: str) -> str:
        if value and not is_server_url(value, ("http", "https")):
            raise ValueError("must look like http://service:8080, or be empty")
        return value.rstrip("/")

    @field_validator("callback_url")
    @classmethod
    def _callback(cls, value: str) -> str:
        if not is_server_url(value, ("http", "https")):
            raise ValueError("must look like http://usher-callbacks:8081")
        return value

    @field_validator("bot_redis_secret", "meeting_token_secret")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr) -> SecretStr:
        # A bot knows what was derived from it, and may try to find it at home.
        if 0 < len(value.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters, or be empty")
        return value

    @field_validator("redis_url", "bot_redis_url")
    @classmethod
    def _redis(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        url = value.get_secret_value()
        # A bot has no socket of the operator's machine.
        local = info.field_name == "redis_url" and url.startswith("unix:/")
        if url and not local and not is_server_url(url, ("redis", "rediss")):
            raise ValueError("must look like redis://host:6379/0, or be empty; encode signs of the password as %2F")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.heartbeat_timeout_s < 2 * self.heartbeat_interval_s:
            raise ValueError(
                f"{ENV_PREFIX}HEARTBEAT_TIMEOUT_S must be at least twice {ENV_PREFIX}HEARTBEAT_INTERVAL_S,"
                " or one lost heartbeat kills a healthy bot"
            )
        if self.default_driver == "exec" and not self.default_command:
            raise ValueError(
                f"{ENV_PREFIX}DEFAULT_DRIVER=exec needs {ENV_PREFIX}DEFAULT_COMMAND,"
                " or each bot that names no command would end at once"
            )
        if self.database_pooler == "transaction" and not self.database_session_url.get_secret_value():
            raise ValueError(
                f"{ENV_PREFIX}DATABASE_POOLER=transaction needs {ENV_PREFIX}DATABASE_SESSION_URL, the URL of Postgres"
                " itself: leadership is a lock of a session, which a pooler in transaction mode does not keep"
            )
        if self.bot_redis_transcripts and not self.bot_redis_secret.get_secret_value():
            raise ValueError(
                f"{ENV_PREFIX}BOT_REDIS_TRANSCRIPTS needs {ENV_PREFIX}BOT_REDIS_SECRET: it is a right of each bot's own"
                " user of Redis"
            )
        if self.bot_redis_secret.get_secret_value() and not self.redis_url.get_secret_value():
            raise ValueError(
                f"{ENV_PREFIX}BOT_REDIS_SECRET needs {ENV_PREFIX}REDIS_URL, whose user makes the users of bots"
            )
        if self.bot_redis_secret.get_secret_value() and self._bots_get_a_socket():
            raise ValueError(
                f"{ENV_PREFIX}BOT_REDIS_URL is needed: bots cannot reach the socket of {ENV_PREFIX}REDIS_URL"
            )
        return self

    def _bots_get_a_socket(self) -> bool:
        return not self.bot_redis_url.get_secret_value() and self.redis_url.get_secret_value().startswith("unix:")


def load() -> Settings:
    """The settings from the environment. Raises SettingsInvalid."""
    try:
        return Settings()
    except ValidationError as exc:
        raise SettingsInvalid("\n".join(_explain(error) for error in exc.errors(include_url=False))) from exc


def _explain(error: object) -> str:
    assert isinstance(error, dict)  # noqa: S101 - narrows pydantic's TypedDict
    name = ENV_PREFIX + str(error["loc"][0]).upper() if error["loc"] else "settings"
    wrong = "is not set" if error["type"] == "missing" else str(error["msg"]).removeprefix("Value error, ")
    hint = Settings.model_fields[str(error["loc"][0])].description if error["loc"] else None
    inside = "".join(f"{part}: " for part in error["loc"][1:])
    return f"{name}: {inside}{wrong}" + (f" ({hint})" if hint else "")
