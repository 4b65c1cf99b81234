"""Settings: all errors are reported at once, in sentences, without repeating a secret."""

import json
from functools import partial
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.unit.bot.harness import some_settings
from usher_bot import main
from usher_bot.errors import InvalidSettings
from usher_bot.redaction import Redactor
from usher_bot.settings import load_settings
from usher_models.platforms import Platform
from usher_models.wire import HEARTBEAT_INTERVAL_S_MAX, HEARTBEAT_INTERVAL_S_MIN
from usher_operator.settings import SilenceSettings

REQUIRED = {
    "USHER_CONNECTION_ID": "c-1",
    "USHER_MEETING_ID": "42",
    "USHER_CALLBACK_URL": "http://usher-callbacks.usher.svc:8081/",
    "USHER_TOKEN_FILE": "/var/run/secrets/usher/token",
    "USHER_PLATFORM": "google_meet",
    "USHER_NATIVE_MEETING_ID": "abc-defg-hij",
    "USHER_MEETING_URL": "https://meet.google.com/abc-defg-hij",
    "USHER_BOT_NAME": "Usher",
    "USHER_DRIVER": "simulated",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_the_required_variables_are_enough() -> None:
    settings = load_settings()
    assert (settings.meeting_id, settings.platform) == (42, Platform.GOOGLE_MEET)
    assert settings.callback_url == "http://usher-callbacks.usher.svc:8081"
    assert (settings.lobby_timeout_s, settings.max_duration_s) == (900, 14_400)
    assert (settings.leave_grace_s, settings.heartbeat_interval_s) == (30, 30)
    assert settings.termination_log == Path("/dev/termination-log")
    assert settings.driver_options == {}


def test_an_empty_variable_counts_as_unset(environment: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "PASSCODE", "LANGUAGE", "LOBBY_TIMEOUT_S", "DRIVER_OPTIONS"):
        environment.setenv(f"USHER_{name}", "")
    settings = load_settings()
    assert (settings.redis_url, settings.passcode, settings.language) == (None, None, None)
    assert (settings.lobby_timeout_s, settings.driver_options) == (900, {})


def test_driver_options_are_a_json_object(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("USHER_DRIVER_OPTIONS", '{"lobby_s": 3}')
    assert load_settings().driver_options == {"lobby_s": 3}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("MEETING_ID", "x", "USHER_MEETING_ID is 'x'; it must be the meeting's number, such as 42."),
        ("PLATFORM", "webex", "USHER_PLATFORM is 'webex'; it must be one of google_meet, teams, zoom, jitsi."),
        ("DRIVER", "webex", "USHER_DRIVER is 'webex'; it must be one of simulated, exec, browser."),
        ("LEAVE_GRACE_S", "0", "USHER_LEAVE_GRACE_S is '0'; it must be a number of seconds from above 0 to 3600."),
        ("DRIVER_OPTIONS", "[1]", "USHER_DRIVER_OPTIONS is wrong; it must be a JSON object."),
        ("DRIVER_OPTIONS", "{", "USHER_DRIVER_OPTIONS is wrong; it must be a JSON object."),
        ("CONNECTION_ID", "", "USHER_CONNECTION_ID is missing; it must be the connection id of the meeting's session."),
    ],
)
def test_a_wrong_value_is_named_with_what_is_right(
    environment: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    environment.setenv(f"USHER_{name}", value)
    with pytest.raises(InvalidSettings) as refused:
        load_settings()
    assert refused.value.problems == [sentence]


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in REQUIRED:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidSettings, match="is missing; it must be the connection id") as refused:
        load_settings()
    assert [problem.split(" is missing")[0] for problem in refused.value.problems] == list(REQUIRED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "http://user:hunter22@redis"),
        ("REDIS_URL", "redis://user:hunter22@redis:hunter22"),
        ("CALLBACK_URL", "ftp://user:hunter22@host"),
        ("MEETING_URL", "hunter22" * 300),
        ("DRIVER_OPTIONS", '{"env": "hunter22'),
    ],
)
def test_a_value_that_may_hold_a_secret_is_never_repeated(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(f"USHER_{name}", value)
    with pytest.raises(InvalidSettings) as refused:
        load_settings()
    assert "hunter22" not in str(refused.value)


def test_settings_do_not_show_their_secrets(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("USHER_REDIS_URL", "redis://:hunter22@redis:6379/0")
    environment.setenv("USHER_PASSCODE", "swordfish")
    settings = load_settings()
    assert "hunter22" not in repr(settings)
    assert "swordfish" not in repr(settings)
    assert {"hunter22", "swordfish"} < set(settings.secrets)


@pytest.mark.parametrize(
    ("driver", "options", "problem"),
    [
        ("simulated", {"meeting": 1}, "meeting is wrong"),
        ("simulated", {"lobby_s": -1}, "lobby_s is wrong"),
        ("simulated", {"behaviour": "polite"}, "behaviour is wrong"),
        ("exec", {}, "command is wrong"),
        ("exec", {"command": []}, "command is wrong"),
    ],
)
def test_check_refuses_options_that_the_driver_does_not_know(
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    driver: str,
    options: dict[str, object],
    problem: str,
) -> None:
    environment.setenv("USHER_DRIVER", driver)
    environment.setenv("USHER_DRIVER_OPTIONS", json.dumps(options))
    assert main.check() == 1
    assert f"USHER_DRIVER_OPTIONS: {problem}" in capsys.readouterr().err


@pytest.mark.usefixtures("environment")
def test_check_is_content_with_good_settings() -> None:
    assert main.check() == 0


@pytest.mark.parametrize("seconds", [HEARTBEAT_INTERVAL_S_MIN, HEARTBEAT_INTERVAL_S_MAX])
def test_the_operator_accepts_the_heartbeat_intervals_that_bots_accept(token_file: Path, seconds: float) -> None:
    assert SilenceSettings(heartbeat_interval_s=seconds).heartbeat_interval_s == seconds
    assert some_settings(token_file, heartbeat_interval_s=seconds).heartbeat_interval_s == seconds


@pytest.mark.parametrize("seconds", [HEARTBEAT_INTERVAL_S_MIN / 2, HEARTBEAT_INTERVAL_S_MAX + 1])
def test_the_operator_refuses_the_heartbeat_intervals_that_bots_refuse(token_file: Path, seconds: float) -> None:
    for refusing in (SilenceSettings, partial(some_settings, token_file)):
        with pytest.raises(ValidationError, match="heartbeat_interval_s"):
            refusing(heartbeat_interval_s=seconds)


def test_every_secret_of_the_meetings_link_is_kept_out_of_logs_and_reports(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("USHER_MEETING_URL", "https://zoom.us/w/85123456789?tk=admits&wpk=too&uuid=1#jwt=third")
    clean = Redactor(load_settings().secrets).clean
    assert clean("GET /w/85123456789?uuid=1&tk=admits then wpk 'too' and third") == (
        "GET /w/85123456789?uuid=1&tk=*** then wpk 'too' and ***"
    ), "Three letters are too few to be looked for."
