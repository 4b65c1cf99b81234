"""Logs are sentences with an action and the meeting, and no secret passes."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.bot.harness import PASSCODE, some_settings
from usher_bot.logs import configure_logging
from usher_bot.redaction import Redactor

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJib3QifQ.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_a_line_of_json_has_the_sentence_the_action_and_the_meeting(
    token_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = some_settings(token_file)
    configure_logging(settings, redactor=Redactor([]))
    logging.getLogger("usher_bot.test").info("The bot is in the meeting.", extra={"action": "joined"})
    line = json.loads(capsys.readouterr().err)
    assert line["message"] == "The bot is in the meeting."
    assert (line["action"], line["meeting_id"], line["connection_id"]) == ("joined", 42, settings.connection_id)


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_secret_passes_not_even_in_a_traceback(
    token_file: Path, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    settings = some_settings(token_file, log_format=log_format, redis_url="redis://:hunter22@redis:6379")
    configure_logging(settings, redactor=Redactor(settings.secrets))
    try:
        raise RuntimeError(f"{PASSCODE} {TOKEN} redis://:hunter22@redis:6379 hunter22")
    except RuntimeError:
        logging.getLogger("usher_bot.test").exception("It failed with %s.", TOKEN)
    written = capsys.readouterr().err
    assert "It failed with ***." in written
    assert not any(secret in written for secret in (PASSCODE, TOKEN, "hunter22"))


def test_the_level_is_the_one_that_was_set(token_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(some_settings(token_file, log_level="WARNING"), redactor=Redactor([]))
    logging.getLogger("usher_bot.test").info("Not now.")
    assert capsys.readouterr().err == ""


def test_what_is_too_short_to_be_a_secret_stays() -> None:
    assert Redactor(["a", ""]).clean("a bat") == "a bat"
