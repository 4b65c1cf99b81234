"""The samples: they are what people copy, so they must be right."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from dev.conference.chart_values import HOST
from usher_models import platforms
from usher_models.errors import InvalidMeeting

SAMPLES = sorted((Path(__file__).resolve().parents[3] / "manifests" / "samples").glob("*.yaml"))
ITEMS: list[dict[str, Any]] = [item for path in SAMPLES for item in yaml.safe_load_all(path.read_text())]
BAD_ID = [item for item in ITEMS if item["metadata"]["name"] == "bad-id"]


def name(item: dict[str, Any]) -> str:
    return str(item["metadata"]["name"])


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without room for fields that it does not name: the API server would drop a misspelt one."""
    done = copy.deepcopy(schema)
    todo = [done]
    while todo:
        part = todo.pop()
        children = [*part.get("properties", {}).values(), part.get("items"), part.get("additionalProperties")]
        todo += [child for child in children if isinstance(child, dict)]
        if "properties" in part:
            part.setdefault("additionalProperties", False)
    return done


def resolve(item: dict[str, Any]) -> platforms.MeetingRef:
    spec = item["spec"]
    return platforms.resolve(
        platform=spec.get("platform"),
        native_id=spec.get("nativeMeetingId"),
        url=spec.get("meetingUrl"),
        passcode=spec.get("passcode"),
        allowed_private_hosts=(HOST,),
    )


@pytest.mark.parametrize("item", ITEMS, ids=name)
def test_a_sample_fits_the_schema(item: dict[str, Any], schema: dict[str, Any]) -> None:
    assert (item["apiVersion"], item["kind"]) == ("usher.dev/v1alpha1", "BotRequest")
    errors = Draft202012Validator(closed(schema)).iter_errors(item)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize("item", ITEMS, ids=name)
def test_a_sample_names_one_user_and_no_namespace(item: dict[str, Any]) -> None:
    assert ("userId" in item["spec"]) != ("userEmail" in item["spec"])
    assert "namespace" not in item["metadata"]


@pytest.mark.parametrize("item", [item for item in ITEMS if item not in BAD_ID], ids=name)
def test_a_sample_names_a_meeting_that_exists_in_principle(item: dict[str, Any]) -> None:
    assert resolve(item).url.startswith("https://")


@pytest.mark.parametrize("item", BAD_ID, ids=name)
def test_the_sample_of_a_bad_id_is_one(item: dict[str, Any]) -> None:
    with pytest.raises(InvalidMeeting, match="is not a google_meet meeting id"):
        resolve(item)


def test_no_two_samples_ask_for_the_same_meeting_or_name() -> None:
    names = [name(item) for item in ITEMS]
    specs = [item["spec"] for item in ITEMS]
    meetings = [(spec["userEmail"], spec.get("nativeMeetingId"), spec.get("meetingUrl")) for spec in specs]
    assert len(set(names)) == len(names)
    assert len(set(meetings)) == len(meetings)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_begins_with_what_to_expect(path: Path) -> None:
    assert path.read_text().startswith("# ")
