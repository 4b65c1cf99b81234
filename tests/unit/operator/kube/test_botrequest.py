"""Reading BotRequests: what is right is taken as it is meant, what is wrong is refused with the name of the field."""

from typing import Any, get_args

import pytest

from tests.fakes.objects import a_botrequest
from usher_bot.drivers.simulated import Behaviour
from usher_operator.kube.botrequest import BotRequest, BotRequestSpec, InvalidRequest, SimulationSpec


def a_request(**fields: Any) -> BotRequest:
    return BotRequest.from_object(a_botrequest(**fields))


def refusal(**spec: Any) -> str:
    with pytest.raises(InvalidRequest) as refused:
        a_request(**spec).spec()
    return str(refused.value)


def refused_at(generation: int) -> dict[str, Any]:
    condition = {"type": "Accepted", "status": "False", "reason": "CapReached", "observedGeneration": generation}
    return {"phase": "refused", "conditions": [condition]}


def test_a_request_knows_who_it_is() -> None:
    request = a_request(name="standup", uid="u-1", generation=3)
    assert (request.namespace, request.name, request.uid, request.generation) == ("bots", "standup", "u-1", 3)
    assert not request.deleting


def test_a_request_that_is_being_deleted_says_so() -> None:
    body = a_botrequest()
    body["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    assert BotRequest.from_object(body).deleting


def test_a_request_without_spec_and_status_is_read_too() -> None:
    body = a_botrequest()
    del body["spec"], body["status"]
    assert BotRequest.from_object(body).raw_spec == {}


def test_the_connection_id_is_the_given_one_or_the_uid() -> None:
    assert a_request(uid="u-1").connection_id == "u-1"
    assert a_request(uid="u-1", connectionId="c-1").connection_id == "c-1"


def test_a_spec_is_read_by_its_names_in_the_definition() -> None:
    spec = a_request(
        userEmail="a@example.org", userId=None, botName="Scribe", desiredState="Left", maxDurationSeconds=60
    ).spec()
    assert (spec.user_id, spec.user_email, spec.bot_name) == (None, "a@example.org", "Scribe")
    assert (spec.desired_state, spec.max_duration_seconds) == ("Left", 60)


def test_a_plain_spec_has_the_defaults_of_the_definition(schema: dict[str, Any]) -> None:
    defined = schema["properties"]["spec"]["properties"]
    spec = a_request().spec().model_dump(by_alias=True)
    defaults = {name: field["default"] for name, field in defined.items() if "default" in field}
    assert defaults
    assert {name: spec[name] for name in defaults} == defaults


def test_every_field_of_the_definition_is_read(schema: dict[str, Any]) -> None:
    fields = {field.alias for field in BotRequestSpec.model_fields.values()}
    assert set(schema["properties"]["spec"]["properties"]) == fields


def test_the_simulation_has_the_fields_and_defaults_of_the_definition(schema: dict[str, Any]) -> None:
    defined = schema["properties"]["spec"]["properties"]["simulation"]["properties"]
    assert SimulationSpec().model_dump(by_alias=True) == {name: field["default"] for name, field in defined.items()}


def test_a_field_of_a_newer_definition_is_no_reason_to_refuse() -> None:
    assert a_request(recordVideo=True).spec().user_id == 1


def test_the_config_a_running_bot_takes_on_is_language_and_task() -> None:
    assert a_request(language="de", task="translate").spec().mutable_config == {"language": "de", "task": "translate"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("userId", "seven"),
        ("userId", 2**31),
        ("userId", 0),
        ("userEmail", "a\x00@example.org"),
        ("meetingUrl", "https://zoom.us/j/85123456789?pwd=\x00"),
        ("passcode", "1\x002"),
        ("botName", "Ush\x00er"),
        ("language", "d\x00e"),
        ("task", "\x00"),
        ("desiredState", "Gone"),
        ("connectionId", "c" * 256),
        ("connectionId", "c d"),
        ("connectionId", "meeting:42"),
        ("lobbyTimeoutSeconds", 0),
        ("lobbyTimeoutSeconds", 2**31),
        ("maxDurationSeconds", -5),
        ("maxDurationSeconds", 2**31),
        ("driver", "chrome"),
        ("command", "run"),
        ("tolerations", {"key": "bots"}),
    ],
)
def test_a_wrong_value_is_refused_with_the_name_of_its_field(field: str, value: object) -> None:
    assert refusal(**{field: value}).startswith(f"spec.{field}")


def test_a_wrong_value_inside_the_simulation_is_named_with_its_path() -> None:
    assert refusal(simulation={"bootSeconds": "soon"}).startswith("spec.simulation.bootSeconds: ")


def test_a_request_that_names_no_user_is_refused() -> None:
    assert refusal(userId=None) == "spec.userId: Name the user by userId or userEmail."


def test_a_wrong_passcode_is_not_repeated_in_the_refusal() -> None:
    assert "swordfish" not in refusal(passcode=["swordfish"])


def test_this_generations_refusal_counts() -> None:
    assert a_request(generation=2, status=refused_at(2)).refused


def test_a_changed_request_is_judged_anew() -> None:
    assert not a_request(generation=3, status=refused_at(2)).refused


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"conditions": []},
        {"conditions": None},
        {"conditions": [{"type": "Accepted", "status": "True", "observedGeneration": 1}]},
        {"conditions": [{"type": "SlotReserved", "status": "False", "observedGeneration": 1}]},
    ],
)
def test_what_is_no_refusal_is_not_read_as_one(status: dict[str, Any]) -> None:
    assert not a_request(status=status).refused


def test_log_fields_name_the_request_and_hold_no_secret() -> None:
    request = a_request(uid="u-1", passcode="swordfish")
    assert request.log_fields() == {"request": "bots/standup", "connection_id": "u-1"}


def test_every_behaviour_of_the_definition_is_one_the_bot_knows(schema: dict[str, Any]) -> None:
    script = schema["properties"]["spec"]["properties"]["simulation"]["properties"]
    names = [SimulationSpec(behaviour=value).behaviour_name for value in script["behaviour"]["enum"]]
    assert sorted(names) == sorted(get_args(Behaviour))


def test_a_command_that_no_bot_could_be_started_with_is_refused() -> None:
    assert "Must have at most 65536 bytes as JSON" in refusal(driver="exec", command=["x" * 4096] * 17)
    assert "Must have at most 65536 bytes as JSON" in refusal(driver="exec", command=["\x01" * 4096] * 4)
    assert a_request(driver="exec", command=["x" * 4096] * 15).spec().command


def test_a_command_that_cannot_be_started_is_refused() -> None:
    assert "spec.command: " in refusal(driver="exec", command=["x" * 40_000, "y" * 30_000])
    assert a_request(driver="exec", command=["x" * 30_000, "y" * 30_000]).spec().driver == "exec"
