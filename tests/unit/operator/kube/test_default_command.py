"""The program of a bot whose BotRequest names none, and when it leaves by itself."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from tests.fakes.settings import some_settings
from tests.unit.operator.kube.test_job import built, driver_options, with_spec
from usher_operator.settings import Settings


def test_a_request_without_a_command_runs_the_installations() -> None:
    job = built(default_driver="exec", default_command=("node", "/app/bot.js"))
    assert driver_options(job) == {"command": ["node", "/app/bot.js"]}


def test_a_requests_own_command_wins() -> None:
    job = built(with_spec(driver="exec", command=["python", "bot.py"]), default_command=("node",))
    assert driver_options(job) == {"command": ["python", "bot.py"]}


def test_the_time_alone_reaches_the_program() -> None:
    bot = with_spec(driver="exec", command=["x"], noOneJoinedTimeoutSeconds=0, leftAloneTimeoutSeconds=90)
    assert driver_options(built(bot)) == {"command": ["x"], "no_one_joined_s": 0, "everyone_left_s": 90}


def test_the_driver_exec_needs_a_command() -> None:
    with pytest.raises(ValidationError, match="needs USHER_DEFAULT_COMMAND"):
        some_settings(default_driver="exec")
    assert some_settings(default_driver="exec", default_command=("x",)).default_command == ("x",)


@pytest.mark.parametrize("value", ["node bot.js", '"node"', "{}", "[1]", '[["a"]]'])
def test_a_command_is_a_list_of_words(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("USHER_DATABASE_URL", "postgresql+psycopg://usher@127.0.0.1/usher")
    monkeypatch.setenv("USHER_DEFAULT_COMMAND", value)
    with pytest.raises(ValidationError):
        Settings()


def test_a_command_is_read_from_json(monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[Any] = ["node", "/app/bot.js", "--name", "a b"]
    monkeypatch.setenv("USHER_DATABASE_URL", "postgresql+psycopg://usher@127.0.0.1/usher")
    monkeypatch.setenv("USHER_DEFAULT_COMMAND", json.dumps(words))
    assert Settings().default_command == tuple(words)
