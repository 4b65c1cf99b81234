"""Commands on the Redis of the program itself."""

from pathlib import Path

import pytest

from tests.unit.bot.harness import some_settings
from usher_bot.drivers.exec.config import own_redis
from usher_bot.drivers.exec.program_redis import ProgramRedis
from usher_models.wire import reconfigure_command

COMMAND = reconfigure_command(42, generation=1, config={"language": "de"})


def redis_at(url: str) -> ProgramRedis:
    return ProgramRedis(url, meeting_id=42, connection_id="c")


async def test_without_a_redis_of_its_own_nothing_is_published() -> None:
    assert not await redis_at("").publish(COMMAND)


async def test_a_redis_that_is_away_is_told_without_its_password(caplog: pytest.LogCaptureFixture) -> None:
    assert not await redis_at("redis://user:hunter22@127.0.0.1:1/0").publish(COMMAND)
    assert "did not take a command" in caplog.text
    assert "hunter22" not in caplog.text


def test_the_redis_of_the_commands_is_not_its_own(token_file: Path) -> None:
    settings = some_settings(token_file, redis_url="redis://usher:6379/0")
    assert own_redis({"REDIS_URL": "redis://usher:6379/0"}, settings) == ""
    assert own_redis({"REDIS_URL": "redis://vexa:6379/0"}, settings) == "redis://vexa:6379/0"
    assert own_redis({}, settings) == ""
