"""The words of bots and of Usher: tolerant of more, strict about what is read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from usher_models.states import Stage, Status
from usher_models.wire import (
    Command,
    Exited,
    Heartbeat,
    Joined,
    Problem,
    Reply,
    Started,
    StatusUpdate,
    command_channels,
    leave_command,
    reconfigure_command,
)

BODIES: dict[type[BaseModel], dict[str, Any]] = {
    Started: {},
    Joined: {},
    Heartbeat: {},
    StatusUpdate: {},
    Exited: {"exit_code": 0},
}
EVERY_BODY = pytest.mark.parametrize("model", BODIES, ids=[model.__name__ for model in BODIES])


@EVERY_BODY
def test_the_connection_id_is_enough_but_for_an_exit(model: type[BaseModel]) -> None:
    assert model.model_validate({"connection_id": "c-1", **BODIES[model]}).model_dump()["connection_id"] == "c-1"


@EVERY_BODY
def test_unknown_fields_are_tolerated(model: type[BaseModel]) -> None:
    body = {"connection_id": "c-1", "container": {"cpu": [1, 2]}, "status_text": None, **BODIES[model]}
    assert "container" not in model.model_validate(body).model_dump()


@EVERY_BODY
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("connection_id", None),
        ("connection_id", ""),
        ("connection_id", "x" * 256),
        ("connection_id", "-leading"),
        ("connection_id", "a b"),
        ("connection_id", "a/b"),
        ("connection_id", "nul\x00"),
        ("connection_id", 7),
        ("event_id", ""),
        ("event_id", "x" * 256),
        ("seq", -1),
        ("seq", 2**63),
        ("seq", "many"),
        ("container_id", "x" * 256),
    ],
)
def test_a_wrong_field_is_refused_by_name(model: type[BaseModel], field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refusal:
        model.model_validate({"connection_id": "c-1", **BODIES[model], field: value})
    assert [error["loc"] for error in refusal.value.errors()] == [(field,)]


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (Heartbeat, "status", "completed"),
        (Heartbeat, "status", "reserved"),
        (Heartbeat, "stage", "napping"),
        (Heartbeat, "applied_generation", -1),
        (Heartbeat, "applied_generation", 2**31),
        (Heartbeat, "participants", -1),
        (StatusUpdate, "status", "active"),
        (StatusUpdate, "stage", "napping"),
        (Exited, "exit_code", 256),
        (Exited, "exit_code", -2),
        (Exited, "exit_code", None),
        (Exited, "reason", "Not A Reason"),
        (Exited, "reason", "x" * 65),
        (Exited, "detail", "x" * 4097),
    ],
)
def test_what_a_callback_adds_is_refused_by_name_too(model: type[BaseModel], field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refusal:
        model.model_validate({"connection_id": "c-1", **BODIES[model], field: value})
    assert [error["loc"] for error in refusal.value.errors()] == [(field,)]


def test_an_exit_needs_its_code() -> None:
    with pytest.raises(ValidationError) as refusal:
        Exited.model_validate({"connection_id": "c-1"})
    assert [error["loc"] for error in refusal.value.errors()] == [("exit_code",)]


@pytest.mark.parametrize("status", [Status.STARTING, Status.ACTIVE, Status.STOPPING, None])
@pytest.mark.parametrize("stage", [*Stage, None])
def test_a_heartbeat_carries_the_bots_own_view(status: Status | None, stage: Stage | None) -> None:
    beat = Heartbeat.model_validate({"connection_id": "c-1", "status": status, "stage": stage})
    assert (beat.status, beat.stage) == (status, stage)


@given(meeting_id=st.integers(min_value=1), generation=st.integers(min_value=1))
def test_command_ids_are_stable_and_their_own(meeting_id: int, generation: int) -> None:
    config = {"language": "de"}
    leave = leave_command(meeting_id)
    told = reconfigure_command(meeting_id, generation=generation, config=config)
    assert leave == leave_command(meeting_id)
    assert told == reconfigure_command(meeting_id, generation=generation, config=config)
    others = {
        leave_command(meeting_id + 1).id,
        reconfigure_command(meeting_id, generation=generation + 1, config=config).id,
        reconfigure_command(meeting_id + 1, generation=generation, config=config).id,
    }
    assert len({leave.id, told.id} | others) == 5


def test_a_reconfiguration_says_what_changes_and_nothing_else() -> None:
    told = reconfigure_command(7, generation=2, config={"language": "de", "task": None, "bot_name": "Ada"})
    assert told.model_dump(exclude_none=True) == {
        "id": "7:config:2",
        "action": "reconfigure",
        "generation": 2,
        "language": "de",
        "bot_name": "Ada",
    }


def test_a_command_survives_the_wire() -> None:
    for command in (leave_command(7), reconfigure_command(7, generation=1, config={"extra": {"deep": [1]}})):
        assert Command.model_validate_json(command.model_dump_json()) == command


def test_each_bot_has_two_channels() -> None:
    assert command_channels(meeting_id=7, connection_id="c-1") == ("bot_commands:meeting:7", "bot_commands:c-1")


def test_a_reply_survives_the_wire() -> None:
    reply = Reply(
        status="heartbeat processed",
        meeting_id=7,
        new_status=Status.ACTIVE,
        applied=True,
        commands=[leave_command(7)],
        next_beat_s=12.5,
    )
    assert Reply.model_validate_json(reply.model_dump_json()) == reply


def test_a_problem_ends_no_bot_unless_it_says_so() -> None:
    assert Problem(code="illegal_move", detail="No.").terminate is False
