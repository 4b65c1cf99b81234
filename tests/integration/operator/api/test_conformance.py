"""Any request that the OpenAPI document allows, and many it does not: no 5xx, and nothing but what it announces."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from pydantic import SecretStr
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.databases import Server
from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import some_settings
from tests.integration.operator.api.client import ADMIN_KEY, key_of
from tests.integration.operator.api.live import live_api
from tests.scenario import Scenario, a_meeting
from usher_models.db.engine import Database
from usher_operator.api.framework.openapi import document
from usher_operator.processes.serve import api_of

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SEED = 20260101
EXAMPLES = 12


def _document() -> dict[str, Any]:
    """The document of a server that is never started."""
    nowhere = Database.connect("postgresql+psycopg://usher@127.0.0.1:1/nowhere")
    chosen = some_settings(admin_api_key=SecretStr(ADMIN_KEY))
    routes = api_of(chosen, database=nowhere, publisher=RecordingPublisher(), kube=FakeKube()).routes()
    described: dict[str, Any] = json.loads(json.dumps(document(routes)))
    return described


FOUND: list[Any] = list(schemathesis.openapi.from_dict(_document()).get_all_operations())
OPERATIONS = [found.ok() for found in FOUND]


async def _past(url: str) -> str:
    """A user with a past; the key of that user."""
    database = Database.connect(url)
    told = Scenario(database)
    user = await told.a_user(cap=1000)
    await told.a_bot(user).starting().active()
    await told.a_bot(user).starting().completed()
    await told.a_legacy_meeting(user, status="joining", meeting=a_meeting("google_meet"))
    key = await key_of(told, user)
    await database.close()
    return key


@pytest.fixture(scope="module")
def live(server: Server, template: str) -> Iterator[tuple[str, dict[str, str]]]:
    """A server on a database of its own, and the keys for it."""
    database_url = server.create(template=template)
    key = asyncio.run(_past(database_url))
    with live_api(database_url) as url:
        yield url, {"X-API-Key": key, "X-Admin-API-Key": ADMIN_KEY}
    server.drop(database_url)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "not allowed"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.label for operation in OPERATIONS])
def test_the_server_keeps_to_its_document(
    operation: Any, mode: GenerationMode, live: tuple[str, dict[str, str]]
) -> None:
    url, keys = live

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def hold(case: Any) -> None:
        case.call_and_validate(base_url=url, headers=keys, checks=CHECKS)

    try:
        hold()
    except Unsatisfiable:
        pytest.skip("nothing about this operation can be wrong")


def test_every_public_route_is_described_and_no_internal_one() -> None:
    paths = _document()["paths"]
    assert "/bots" in paths
    assert not [path for path in paths if "internal" in path]
