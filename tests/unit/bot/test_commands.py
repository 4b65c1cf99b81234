"""Commands: whatever arrives is read or dropped, and each is carried out once."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usher_bot.commands import REMEMBERED_IDS, Inbox, parse_command
from usher_models.wire import Command, leave_command, reconfigure_command

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@given(st.binary())
def test_the_parser_never_raises_on_any_bytes(raw: bytes) -> None:
    assert parse_command(raw) is None or isinstance(parse_command(raw), Command)


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["id", "action", "generation", "language", "task", "x"]), _JSON))
def test_the_parser_never_raises_on_any_object(document: dict[str, Any]) -> None:
    command = parse_command(json.dumps(document))
    assert command is None or command.action == document["action"]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"leave", id="not JSON"),
        pytest.param(b'["leave"]', id="not an object"),
        pytest.param(b'{"action": "dance"}', id="an unknown action"),
        pytest.param(b'{"action": "leave", "id": 7}', id="an id that is no text"),
        pytest.param(b'{"action": "leave", "x": "' + b"x" * 70_000 + b'"}', id="too long"),
        pytest.param(b"[" * 60_000, id="too deep"),
        pytest.param(b'{"action": "\xff"}', id="not UTF-8"),
    ],
)
def test_a_malformed_message_is_dropped_and_logged(raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert parse_command(raw) is None
    assert [record.action for record in caplog.records] == ["command_dropped"]  # type: ignore[attr-defined]


def test_a_command_that_was_published_is_read_whole() -> None:
    sent = reconfigure_command(42, generation=7, config={"language": "de", "allowed": ["de", "en"]})
    assert parse_command(sent.model_dump_json()) == sent


@pytest.mark.parametrize("bare", [{"action": "leave"}, {"action": "reconfigure", "language": "de", "task": None}])
def test_the_bare_shape_of_older_senders_is_read(bare: dict[str, Any]) -> None:
    first, second = parse_command(json.dumps(bare)), parse_command(json.dumps(bare).encode())
    assert first
    assert second
    assert first.action == bare["action"]
    assert first.id != second.id


async def test_a_command_that_arrives_twice_is_taken_once() -> None:
    inbox = Inbox()
    for _ in range(3):
        inbox.put(reconfigure_command(42, generation=1, config={}))
    inbox.put(reconfigure_command(42, generation=2, config={}))
    taken = [await inbox.next_reconfiguration() for _ in range(2)]
    assert [command.generation for command in taken] == [1, 2]


async def test_leave_stays_asked() -> None:
    inbox = Inbox()
    inbox.put(leave_command(42))
    assert inbox.leave_asked.is_set()


async def test_a_command_that_was_forgotten_is_taken_again() -> None:
    inbox = Inbox()
    command = reconfigure_command(42, generation=1, config={})
    inbox.put(command)
    inbox.forget(await inbox.next_reconfiguration())
    inbox.put(command)
    assert await inbox.next_reconfiguration() == command


async def test_the_inbox_remembers_a_bounded_number_of_ids(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    inbox = Inbox()
    for number in range(REMEMBERED_IDS * 2):
        inbox.put(Command(id=str(number), action="leave"))
    inbox.put(Command(id=str(REMEMBERED_IDS * 2 - 1), action="leave"))
    assert len(caplog.records) == REMEMBERED_IDS * 2
    inbox.put(Command(id="0", action="leave"))
    assert len(caplog.records) == REMEMBERED_IDS * 2 + 1
