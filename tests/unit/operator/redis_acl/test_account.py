"""A bot's own Redis user: the same each time, one per meeting, and worth nothing for any other."""

import pytest

from usher_operator.redis_acl.account import RedisAccount, meeting_of

SECRET = "s" * 32


def account(*, meeting_id: int = 42, connection_id: str = "connection-1", secret: str = SECRET) -> RedisAccount:
    return RedisAccount.of(meeting_id=meeting_id, connection_id=connection_id, secret=secret)


def test_the_same_meeting_has_the_same_account_each_time() -> None:
    assert account() == account()
    assert account().name == "bot-42"


def test_the_password_depends_on_the_connection_and_on_the_secret() -> None:
    passwords = {
        account().password,
        account(connection_id="connection-2").password,
        account(secret="t" * 32).password,
    }
    assert len(passwords) == 3
    assert all(len(password) == 64 for password in passwords)


def test_redis_is_told_the_channels_of_that_meeting_and_never_the_password() -> None:
    rules = account().rules()
    assert [rule for rule in rules if rule.startswith("&")] == [
        "&bot_commands:meeting:42",
        "&bot_commands:connection-1",
    ]
    assert rules[:3] == ("reset", "resetchannels", "on")
    assert account().password not in " ".join(rules)


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("redis://redis:6379/0", "redis://bot-42:{}@redis:6379/0"),
        ("rediss://usher:swordfish@redis.example.com/1", "rediss://bot-42:{}@redis.example.com/1"),
        ("redis://:p%40ss@[::1]:6379", "redis://bot-42:{}@[::1]:6379"),
    ],
)
def test_the_url_is_the_servers_with_the_bots_own_credentials(server: str, url: str) -> None:
    assert account().url(server) == url.format(account().password)


@pytest.mark.parametrize(
    ("name", "meeting"),
    [("bot-42", 42), ("bot-", None), ("bot-x", None), ("bot-4²", None), ("robot-42", None), ("usher-operate", None)],
)
def test_only_names_of_bots_are_taken_for_bots(name: str, meeting: int | None) -> None:
    assert meeting_of(name) == meeting
