"""The definition of BotRequest: whole, bounded, and in agreement with the models it repeats."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from usher_models import defaults, platforms, states, wire

# What the owner of a BotRequest may change after its creation.
MUTABLE = {"language", "task", "desiredState"}


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below `schema`, with its path as `kubectl explain` would name it."""
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}", child
        yield from fields(child, f"{path}.{name}")
    for below, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(below), dict):
            yield path + mark, schema[below]
            yield from fields(schema[below], path + mark)


def constraint(annotated: Any, name: str) -> Any:
    """What a pydantic type of `wire` demands, such as its `pattern`."""
    (info,) = (extra for extra in get_args(annotated) if hasattr(extra, "metadata"))
    return next(getattr(part, name) for part in info.metadata if hasattr(part, name))


def test_names_are_the_published_ones(definition: dict[str, Any], version: dict[str, Any]) -> None:
    spec = definition["spec"]
    assert definition["metadata"]["name"] == "botrequests.usher.dev"
    assert (spec["group"], version["name"], spec["scope"]) == ("usher.dev", "v1alpha1", "Namespaced")
    assert (spec["names"]["shortNames"], spec["names"]["categories"]) == (["br"], ["usher"])
    assert version["subresources"] == {"status": {}}


def test_every_field_says_in_sentences_what_it_is(schema: dict[str, Any]) -> None:
    found = {path: field.get("description", "") for path, field in fields(schema) if path != ".metadata"}
    assert len(found) > 60
    assert [path for path, text in found.items() if not re.fullmatch(r"[A-Z].*\.", text)] == []


def test_every_number_of_seconds_names_its_unit(schema: dict[str, Any]) -> None:
    found = {path: field["description"] for path, field in fields(schema) if path.endswith("Seconds")}
    assert [path for path, text in found.items() if "seconds" not in text] == []


def test_every_string_is_bounded(schema: dict[str, Any]) -> None:
    strings = [
        (path, field)
        for path, field in fields(schema)
        if field.get("type") == "string" or field.get("x-kubernetes-int-or-string")
    ]
    unbounded = [path for path, field in strings if not {"maxLength", "enum", "format"} & field.keys()]
    assert unbounded == []


def test_every_list_and_map_is_bounded(schema: dict[str, Any]) -> None:
    found = dict(fields(schema))
    lists = [path for path, field in found.items() if field.get("type") == "array" and "maxItems" not in field]
    maps = [path for path, field in found.items() if "additionalProperties" in field and "maxProperties" not in field]
    assert (lists, maps) == ([], [])


def test_every_number_is_bounded_on_both_sides(schema: dict[str, Any]) -> None:
    numbers = [(path, field) for path, field in fields(schema) if field.get("type") in ("integer", "number")]
    assert [path for path, field in numbers if not {"minimum", "maximum"} <= field.keys()] == []


def test_every_list_says_how_it_is_merged(schema: dict[str, Any]) -> None:
    lists = [(path, field) for path, field in fields(schema) if field.get("type") == "array"]
    assert [path for path, field in lists if "x-kubernetes-list-type" not in field] == []


def test_every_default_and_every_pattern_is_a_valid_one(schema: dict[str, Any]) -> None:
    for _path, field in fields(schema):
        re.compile(field.get("pattern", ""))
        if "default" in field:
            Draft202012Validator(field).validate(field["default"])


def test_everything_but_language_task_and_desired_state_is_immutable(spec: dict[str, Any]) -> None:
    rules = [rule for rule in spec["x-kubernetes-validations"] if "oldSelf" in rule["rule"]]
    guarded = {rule["fieldPath"].removeprefix("."): rule["message"] for rule in rules}
    for rule, name in zip(rules, guarded, strict=True):
        same = f"self.{name} == oldSelf.{name}"
        as_present = f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || {same})"
        assert rule["rule"] == (same if "default" in spec["properties"][name] else as_present)
    assert set(spec["properties"]) - set(guarded) == MUTABLE
    assert all(text == f"{name} is immutable; create a new BotRequest" for name, text in guarded.items())


def test_the_phase_is_a_status_of_the_model_or_refused(status: dict[str, Any]) -> None:
    assert status["properties"]["phase"]["enum"] == [*states.Status, "refused"]


def test_the_stages_are_those_of_the_model(status: dict[str, Any]) -> None:
    assert status["properties"]["stage"]["enum"] == list(states.Stage)


@pytest.mark.parametrize("part", ["spec", "status"])
def test_the_platforms_are_those_of_the_model(schema: dict[str, Any], part: str) -> None:
    found = schema["properties"][part]["properties"]["platform"]["enum"]
    assert found == list(platforms.Platform)


def test_every_reason_of_the_model_may_stand_in_the_status(status: dict[str, Any]) -> None:
    pattern = status["properties"]["reason"]["pattern"]
    condition = status["properties"]["conditions"]["items"]["properties"]["reason"]["pattern"]
    reasons = [*states.Reason, states.exit_code_reason(137)]
    assert [reason for reason in reasons if not (re.search(pattern, reason) and re.search(condition, reason))] == []


def test_the_connection_id_is_the_one_of_the_callbacks(spec: dict[str, Any]) -> None:
    field = spec["properties"]["connectionId"]
    assert field["pattern"] == constraint(wire.ConnectionId, "pattern")
    assert field["maxLength"] == constraint(wire.ConnectionId, "max_length")


def test_a_url_may_be_as_long_as_the_model_takes(spec: dict[str, Any]) -> None:
    assert spec["properties"]["meetingUrl"]["maxLength"] == platforms.URL_MAX_LENGTH


def test_the_columns_show_fields_that_exist(version: dict[str, Any], schema: dict[str, Any]) -> None:
    columns = version["additionalPrinterColumns"]
    usual = [column["name"] for column in columns if column.get("priority", 0) == 0]
    wide = [column["name"] for column in columns if column.get("priority", 0) == 1]
    assert usual == ["User", "Platform", "Meeting", "Status", "Reason", "Driver", "Age"]
    assert wide == ["Stage", "Meeting-Id", "Job"]
    known = {path: field.get("type") for path, field in fields(schema)}
    shown = {column["jsonPath"]: column["type"] for column in columns if column["name"] != "Age"}
    assert {path: known.get(path) for path in shown} == shown


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("userEmail", ["ada@example.com", "a+b@x.org"], ["ada", "@x", "a b@x.org", "a@b@c", "a\x00@x.org"]),
        ("meetingUrl", ["https://zoom.us/j/1"], ["http://zoom.us/j/1", "zoom.us/j/1"]),
        ("language", ["en", "pt-BR", "zh-Hant-TW"], ["EN", "e", "en_US", "en-"]),
        ("task", ["transcribe", "take_notes"], ["Transcribe", "_x", "a-b"]),
        ("botName", ["Usher", "Ada's bot", "Prüfer 🤖"], ["", "a\nb", "a\x00b"]),
        ("image", ["usher.dev/bot:dev", "bot@sha256:0"], ["", "bot dev"]),
        ("priorityClassName", ["high", "team.high"], ["High", "-x"]),
    ],
)
def test_patterns_take_the_good_and_refuse_the_bad(
    spec: dict[str, Any], field: str, good: list[str], bad: list[str]
) -> None:
    validator = Draft202012Validator(spec["properties"][field])
    assert [value for value in good if not validator.is_valid(value)] == []
    assert [value for value in bad if validator.is_valid(value)] == []


@pytest.mark.parametrize("amount", [2, "500m", "1Gi", "1.5", "1e3", "+1"])
def test_a_quantity_is_taken_as_kubernetes_writes_it(spec: dict[str, Any], amount: object) -> None:
    limits = spec["properties"]["resources"]["properties"]["limits"]
    assert Draft202012Validator(limits).is_valid({"memory": amount})


@pytest.mark.parametrize("amount", ["-1", "1 Gi", "lots", "", "1KB"])
def test_what_is_no_quantity_is_refused(spec: dict[str, Any], amount: object) -> None:
    limits = spec["properties"]["resources"]["properties"]["limits"]
    assert not Draft202012Validator(limits).is_valid({"memory": amount})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("botName", defaults.BOT_NAME),
        ("lobbyTimeoutSeconds", defaults.LOBBY_TIMEOUT_S),
        ("maxDurationSeconds", defaults.MAX_DURATION_S),
        ("ttlSecondsAfterFinished", defaults.TTL_AFTER_FINISHED_S),
    ],
)
def test_the_defaults_of_the_definition_are_those_of_the_models(
    spec: dict[str, Any], field: str, value: object
) -> None:
    assert spec["properties"][field]["default"] == value
    assert f"Default {value}" in spec["properties"][field]["description"].replace("\n", " ")
