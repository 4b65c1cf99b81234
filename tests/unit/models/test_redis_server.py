"""What is logged of a Redis that fails: which one, what it said, and never the password."""

import pytest
from redis.exceptions import AuthenticationError

from usher_models.redis_server import RedisServer

URL = "redis://bot:hunter%2322@redis.example:6380/0"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (URL, "the Redis at redis.example:6380"),
        ("rediss://redis.example", "the Redis at redis.example:6379"),
        ("unix:///run/redis.sock?db=1", "the Redis at /run/redis.sock"),
    ],
)
def test_the_server_is_named_without_credentials(url: str, name: str) -> None:
    assert str(RedisServer.of(url)) == name
    assert "hunter" not in repr(RedisServer.of(url))


@pytest.mark.parametrize("secret", ["hunter#22", "hunter%2322"])
def test_what_the_server_said_is_told_without_the_password(secret: str) -> None:
    words = RedisServer.of(URL).words(AuthenticationError(f"WRONGPASS {secret}\n is wrong."))
    assert words == "the Redis at redis.example:6380: WRONGPASS *** is wrong"


def test_what_other_code_says_is_not_repeated() -> None:
    assert RedisServer.of(URL).words(ValueError("hunter")) == "the Redis at redis.example:6380: ValueError"


def test_a_server_that_says_nothing_gave_no_answer_in_time() -> None:
    assert RedisServer.of(URL).words(TimeoutError()) == "the Redis at redis.example:6380: no answer in time"
