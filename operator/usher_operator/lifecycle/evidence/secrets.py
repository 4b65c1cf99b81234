"""Which secrets Usher knows of: those of a bot's meeting, and those of its own settings."""

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from usher_models.db.bots import Bot
from usher_models.platforms.secrets import secret_values
from usher_models.redaction import Redactor, spellings
from usher_operator.redis_acl.account import RedisAccount
from usher_operator.settings import Settings

_LINKS = ("meetingUrl", "meeting_url")
_PASSCODES = ("passcode",)


def redactor_for(bot: Bot, settings: Settings) -> Redactor:
    """The redactor of what is kept of a bot."""
    known = {*_of_settings(settings), *_of_meeting(bot), *_of_redis(bot, settings)}
    return Redactor({form for secret in known if secret for form in spellings(secret)})


def _of_meeting(bot: Bot) -> Iterator[str]:
    for source in (bot.spec, bot.config):
        yield from (str(source[name]) for name in _PASSCODES if source.get(name))
        for name in _LINKS:
            yield from secret_values(str(source.get(name) or ""))


def _of_redis(bot: Bot, settings: Settings) -> Iterator[str]:
    secret = settings.bot_redis_secret.get_secret_value()
    if secret:
        account = RedisAccount.of(meeting_id=bot.meeting_id, connection_id=bot.connection_id, secret=secret)
        yield account.password


def _of_settings(settings: Settings) -> Iterator[str]:
    """The secrets themselves; of a URL its password, because its host explains failures."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            secret = value.get_secret_value()
            yield from _passwords(secret) if "://" in secret else (secret,)


def _passwords(url: str) -> Iterator[str]:
    password = urlsplit(url).password
    if password:
        yield from (password, unquote(password))
