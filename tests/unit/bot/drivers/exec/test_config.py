"""What the program under the exec driver is told."""

import json
from pathlib import Path

from tests.unit.bot.harness import PASSCODE, some_settings
from usher_bot.drivers.exec.config import bot_config, child_environment

URL = "http://127.0.0.1:4711"


def test_the_configuration_has_the_shape_that_vexas_bots_read(token_file: Path) -> None:
    settings = some_settings(token_file, language="de", task="transcribe", redis_url="redis://redis:6379")
    assert bot_config(settings, local_url=URL) == {
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
    }


def test_what_has_no_value_is_left_out(token_file: Path) -> None:
    config = bot_config(some_settings(token_file, passcode=None), local_url=URL)
    assert {"language", "task", "passcode"}.isdisjoint(config)
    assert config["redisUrl"] == ""


def test_the_child_gets_everything_but_the_token(token_file: Path) -> None:
    own = {"PATH": "/bin", "USHER_TOKEN_FILE": str(token_file), "USHER_MEETING_ID": "42"}
    environment = child_environment(some_settings(token_file), own=own, options={"DISPLAY": ":99"}, local_url=URL)
    assert "USHER_TOKEN_FILE" not in environment
    assert "first-token" not in json.dumps(environment)
    assert (environment["PATH"], environment["USHER_MEETING_ID"], environment["DISPLAY"]) == ("/bin", "42", ":99")
    assert environment["USHER_LOCAL_CALLBACK_URL"] == URL
    assert json.loads(environment["BOT_CONFIG"])["meeting_id"] == 42


def test_the_drivers_options_have_the_last_word(token_file: Path) -> None:
    environment = child_environment(
        some_settings(token_file), own={"A": "ours"}, options={"A": "theirs", "BOT_CONFIG": "{}"}, local_url=URL
    )
    assert (environment["A"], environment["BOT_CONFIG"]) == ("theirs", "{}")
