"""The document explains itself: each operation, parameter and field has a description."""

from collections.abc import Iterator
from typing import Any

from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import some_settings
from usher_models.db.engine import Database
from usher_operator.api.framework.openapi import document
from usher_operator.processes.serve import api_of

NOWHERE = Database.connect("postgresql+psycopg://usher@127.0.0.1:1/nowhere")
DOCUMENT = document(api_of(some_settings(), database=NOWHERE, publisher=RecordingPublisher(), kube=FakeKube()).routes())
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_every_operation_and_parameter_is_described() -> None:
    bare = [name for name, operation in operations() if not operation.get("description")]
    bare += [
        f"{name}: {parameter['name']}"
        for name, operation in operations()
        for parameter in operation["parameters"]
        if not parameter.get("description")
    ]
    assert bare == []


def test_every_field_is_described() -> None:
    fields = [
        (name, field, schema)
        for name, model in SCHEMAS.items()
        for field, schema in model.get("properties", {}).items()
    ]
    assert len(fields) > 100
    assert [f"{name}.{field}" for name, field, schema in fields if "description" not in schema] == []


def test_every_body_has_an_example() -> None:
    taken = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for _, operation in operations()
        if "requestBody" in operation
    }
    for name in taken:
        assert any("examples" in field for field in SCHEMAS[name]["properties"].values()), name


def test_choices_are_enumerated() -> None:
    (status,) = [each for each in DOCUMENT["paths"]["/meetings"]["get"]["parameters"] if each["name"] == "status"]
    assert {"active", "completed", "joining"} <= set(status["schema"]["enum"])
    assert SCHEMAS["Platform"]["enum"] == ["google_meet", "teams", "zoom", "jitsi"]


def test_no_description_or_title_names_a_python_type() -> None:
    text = str(DOCUMENT)
    assert "Annotated" not in text
    assert "BaseModel" not in text
