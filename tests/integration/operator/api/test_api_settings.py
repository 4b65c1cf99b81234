"""The REST API switched off, and speaking as older versions of Vexa did."""

from aiohttp.test_utils import TestClient, TestServer

from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import some_settings
from tests.integration.operator.api.client import Client, key_of
from tests.scenario import Scenario
from usher_models.states import Stage
from usher_operator.http.health import Health
from usher_operator.lifecycle.commands import RedisPublisher
from usher_operator.processes.serve import public_api


async def test_switched_off_it_says_so_on_every_path_and_health_still_answers(
    given: Scenario, kube: FakeKube, publisher: RecordingPublisher
) -> None:
    app = public_api(some_settings(api_enabled=False), database=given.database, publisher=publisher, kube=kube)
    Health(component="serve", database=given.database, publisher=RedisPublisher.connect("")).add_routes(app)
    async with TestClient(TestServer(app)) as http:
        for method, path in (("GET", "/bots/status"), ("POST", "/bots"), ("GET", "/openapi.json"), ("GET", "/")):
            answer = await http.request(method, path)
            assert (answer.status, (await answer.json())["code"]) == (503, "api_disabled")
        assert (await http.get("/livez")).status == 200
        assert (await http.get("/health")).status == 200


async def test_older_clients_read_the_statuses_that_they_know(
    given: Scenario, kube: FakeKube, publisher: RecordingPublisher
) -> None:
    user = await given.a_user(cap=5)
    bots = [
        await given.a_bot(user),
        await given.a_bot(user).starting(),
        await given.a_bot(user).starting().in_stage(Stage.LOBBY),
        await given.a_bot(user).starting().active(),
    ]
    app = public_api(some_settings(legacy_statuses=True), database=given.database, publisher=publisher, kube=kube)
    async with TestClient(TestServer(app)) as http:
        client = Client(http, {"X-API-Key": await key_of(given, user)})
        shown = [(await client.get(f"/meetings/{bot.meeting_id}")).body["status"] for bot in bots]
        assert shown == ["requested", "joining", "awaiting_admission", "active"]
        running = (await client.get("/bots/status")).body["running_bots"]
        assert {bot["status"] for bot in running} == {"requested", "joining", "awaiting_admission", "active"}
