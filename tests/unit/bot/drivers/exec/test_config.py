"""The environment and configuration of the program under the exec driver."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.bot.harness import PASSCODE, some_settings
from usher_bot.drivers.exec.config import PASSED_ON, child_environment
from usher_bot.settings import Settings
from usher_models.exec_options import ExecOptions
from usher_models.wire import COMMAND_MAX_BYTES

URL = "http://127.0.0.1:4711"


OPTIONS = ExecOptions(command=["bot"])
# Every field that the newest bots allow; they refuse a configuration with any other.
NEWEST = (
    {"platform", "meetingUrl", "botName", "passcode", "nativeMeetingId", "token", "connectionId", "meeting_id"}
    | {"redisUrl", "meetingApiCallbackUrl", "language", "task", "automaticLeave"}
    | {"transcriptionServiceUrl", "transcriptionServiceToken", "transcriptionModel"}
)


def config_of(
    settings: Settings,
    name: str = "BOT_CONFIG",
    *,
    options: ExecOptions = OPTIONS,
    own: Mapping[str, str] = MappingProxyType({}),
) -> Any:
    return json.loads(child_environment(settings, own=own, options=options, local_url=URL)[name])


def test_the_configuration_has_the_shape_that_vexas_bots_read(token_file: Path) -> None:
    settings = some_settings(token_file, language="de", task="transcribe", redis_url="redis://redis:6379")
    assert config_of(settings) == {
        "meeting_id": 42,
        "platform": "google_meet",
        "meetingUrl": "https://meet.google.com/abc-defg-hij",
        "botName": "Usher",
        "token": "",
        "nativeMeetingId": "abc-defg-hij",
        "connectionId": settings.connection_id,
        "language": "de",
        "task": "transcribe",
        "passcode": PASSCODE,
        "redisUrl": "redis://redis:6379",
        "automaticLeave": {"waitingRoomTimeout": 900_000, "noOneJoinedTimeout": 120_000, "everyoneLeftTimeout": 60_000},
        "botManagerCallbackUrl": f"{URL}/bots/internal/callback/exited",
        "botManagerStartedCallbackUrl": f"{URL}/bots/internal/callback/started",
        "meetingApiCallbackUrl": f"{URL}/bots/internal/callback/exited",
    }


def test_the_newest_bots_get_only_fields_that_they_allow(token_file: Path) -> None:
    own = dict.fromkeys(PASSED_ON.values(), "x")
    config = config_of(some_settings(token_file, language="de", task="transcribe"), "VEXA_BOT_CONFIG", own=own)
    assert set(config) <= NEWEST
    assert config["meetingApiCallbackUrl"] == f"{URL}/bots/internal/callback/lifecycle"
    assert {"platform", "meetingUrl", "botName", "redisUrl"} <= set(config)


@pytest.mark.parametrize("name", ["BOT_CONFIG", "VEXA_BOT_CONFIG"])
def test_keys_and_addresses_of_the_container_reach_the_configuration(token_file: Path, name: str) -> None:
    own = {variable: f"the {field}" for field, variable in PASSED_ON.items()}
    config = config_of(some_settings(token_file, redis_url="redis://usher:6379"), name, own=own)
    assert {field: config[field] for field in PASSED_ON} == {field: f"the {field}" for field in PASSED_ON}


def test_the_times_of_leaving_by_itself_reach_the_configuration(token_file: Path) -> None:
    options = ExecOptions(command=["bot"], no_one_joined_s=7, everyone_left_s=0.5)
    leave = config_of(some_settings(token_file, lobby_timeout_s=60), options=options)["automaticLeave"]
    assert leave == {"waitingRoomTimeout": 60_000, "noOneJoinedTimeout": 7000, "everyoneLeftTimeout": 500}


def test_what_has_no_value_is_left_out(token_file: Path) -> None:
    config = config_of(some_settings(token_file, passcode=None))
    assert {"language", "task", "passcode", "transcriptionServiceUrl"}.isdisjoint(config)
    assert config["redisUrl"] == ""


def test_the_child_gets_everything_but_the_token(token_file: Path) -> None:
    own = {"PATH": "/bin", "USHER_TOKEN_FILE": str(token_file), "USHER_MEETING_ID": "42"}
    options = ExecOptions(command=["bot"], env={"DISPLAY": ":99"})
    environment = child_environment(some_settings(token_file), own=own, options=options, local_url=URL)
    assert "USHER_TOKEN_FILE" not in environment
    assert "first-token" not in json.dumps(environment)
    assert (environment["PATH"], environment["USHER_MEETING_ID"], environment["DISPLAY"]) == ("/bin", "42", ":99")
    assert environment["USHER_LOCAL_CALLBACK_URL"] == URL
    assert json.loads(environment["BOT_CONFIG"])["meeting_id"] == 42


def test_the_drivers_options_override_the_environment(token_file: Path) -> None:
    options = ExecOptions(command=["bot"], env={"A": "theirs", "BOT_CONFIG": "{}"})
    environment = child_environment(some_settings(token_file), own={"A": "ours"}, options=options, local_url=URL)
    assert (environment["A"], environment["BOT_CONFIG"]) == ("theirs", "{}")


def test_a_command_that_no_environment_variable_can_hold_is_refused() -> None:
    around = len(json.dumps(["sh", "-c", ""]))
    ExecOptions(command=["sh", "-c", "x" * (COMMAND_MAX_BYTES - around)])
    with pytest.raises(ValidationError, match="at most 65536 bytes as JSON"):
        ExecOptions(command=["sh", "-c", "x" * (COMMAND_MAX_BYTES - around + 1)])


def test_the_definition_has_the_same_limit_of_a_command() -> None:
    definition = Path(__file__).parents[5] / "crds" / "botrequests.yaml"
    assert f"self.map(part, size(part)).sum() <= {COMMAND_MAX_BYTES}" in definition.read_text()
