"""Which heartbeats say something that is still to be written."""

from typing import Any

import pytest

from tests.fakes.bots import a_bot_row
from usher_models.wire import Heartbeat
from usher_operator.callbacks.routes import _has_new_details

KNOWN: dict[str, Any] = {"stage": "in_meeting", "applied_generation": 0, "participants": 3}


@pytest.mark.parametrize(
    ("said", "is_new"),
    [
        ({}, False),
        ({"stage": "in_meeting"}, False),
        ({"stage": "leaving"}, True),
        ({"applied_generation": 0}, False),
        ({"applied_generation": 1}, True),
        ({"participants": 3}, False),
        ({"participants": 0}, True),
        ({"participants": 4}, True),
        ({"stage": "in_meeting", "applied_generation": 0, "participants": 3}, False),
    ],
)
def test_only_what_the_row_does_not_say_yet_is_new(said: dict[str, Any], is_new: bool) -> None:
    heartbeat = Heartbeat(connection_id="c", **said)
    assert _has_new_details(heartbeat, a_bot_row(**KNOWN)) is is_new


@pytest.mark.parametrize(("said", "is_new"), [({"applied_generation": 2}, False), ({"applied_generation": 3}, True)])
def test_an_older_generation_is_not_new(said: dict[str, Any], is_new: bool) -> None:
    heartbeat = Heartbeat(connection_id="c", **said)
    assert _has_new_details(heartbeat, a_bot_row(**KNOWN | {"applied_generation": 2})) is is_new
