"""What the adapter writes, and what it makes of the answers: gone, refused for good, or worth another try."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client

from tests.fakes.objects import a_botrequest, a_job
from tests.fakes.settings import INSTALLATION
from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.adapter import KubeAdapter
from usher_operator.kube.port import CreateForbidden, CreateRefused, WriteRefused

Json = dict[str, Any]
OTHER = "another-installation"


class ApiServer:
    """Answers everything with `status` and `answer`, and keeps what it was asked."""

    def __init__(self, status: int = 200, **answer: Any) -> None:
        self.status, self.answer = status, answer
        self.asked: list[tuple[str, str, Json | None]] = []
        self.queries: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path, await request.json() if request.can_read_body else None))
        self.queries.append(request.query.get("labelSelector", ""))
        answer = self.answer.get(request.path.rpartition("/")[2], self.answer)
        if self.status >= 400:
            answer = {"kind": "Status", **answer}
        return web.json_response(answer, status=self.status)


@asynccontextmanager
async def connected(server: ApiServer, installation: str | None = None) -> AsyncIterator[KubeAdapter]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with client.ApiClient(client.Configuration(host=address)) as api:
            yield KubeAdapter(api, installation=installation)
    finally:
        await runner.cleanup()


async def patched(server: ApiServer) -> bool:
    async with connected(server) as adapter:
        return await adapter.patch_request_status("bots", "standup", {"phase": "active"}, uid="u-1")


async def test_a_status_names_the_uid_of_its_object() -> None:
    server = ApiServer()
    assert await patched(server)
    ((method, path, body),) = server.asked
    assert (method, path.rpartition("/")[2]) == ("PATCH", "status")
    assert body == {"metadata": {"uid": "u-1"}, "status": {"phase": "active"}}


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (404, "NotFound", 'botrequests.usher.dev "standup" not found'),
        (409, "Conflict", "Precondition failed: UID in precondition: u-1, UID in object meta: u-2"),
        (422, "Invalid", 'BotRequest "standup" is invalid: metadata.uid: Invalid value: "u-1": field is immutable'),
    ],
)
async def test_an_object_that_is_gone_or_another_one_gets_no_status(status: int, reason: str, message: str) -> None:
    assert not await patched(ApiServer(status, reason=reason, message=message))


@pytest.mark.parametrize(("status", "reason"), [(403, "Forbidden"), (422, "Invalid")])
async def test_a_status_that_is_refused_is_refused_for_good(status: int, reason: str) -> None:
    with pytest.raises(WriteRefused, match="no such right"):
        await patched(ApiServer(status, reason=reason, message="no such right"))


@pytest.mark.parametrize("status", [401, 409, 429, 500, 503])
async def test_any_other_failure_of_a_status_is_worth_another_try(status: int) -> None:
    with pytest.raises(KubernetesUnavailable, match="the object has been modified"):
        await patched(ApiServer(status, reason="Conflict", message="the object has been modified"))


async def created(server: ApiServer) -> bool:
    async with connected(server) as adapter:
        return await adapter.create_job("bots", a_job())


async def test_an_object_that_exists_is_not_created() -> None:
    assert not await created(ApiServer(409, reason="AlreadyExists", message="exists"))


async def test_a_conflict_of_a_quota_is_not_taken_for_an_object_that_exists() -> None:
    with pytest.raises(KubernetesUnavailable, match="quota"):
        await created(
            ApiServer(409, reason="Conflict", message="Operation cannot be fulfilled on resourcequotas: quota")
        )


async def test_what_is_forbidden_now_is_worth_another_try() -> None:
    with pytest.raises(CreateForbidden, match="exceeded quota"):
        await created(ApiServer(403, reason="Forbidden", message="exceeded quota: bots"))


async def test_an_invalid_object_is_refused_for_good() -> None:
    with pytest.raises(CreateRefused, match="invalid"):
        await created(ApiServer(422, reason="Invalid", message="invalid"))


async def test_lists_select_this_installations_jobs_and_pods() -> None:
    server = ApiServer(items=[])
    async with connected(server, INSTALLATION) as adapter:
        await adapter.list_jobs("bots")
        await adapter.list_pods("bots", job_name="bot-1")
    assert all(f"usher.dev/installation={INSTALLATION}" in query for query in server.queries)


async def test_lists_leave_out_requests_of_another_installation() -> None:
    items = [
        a_botrequest("new", uid="1"),
        a_botrequest("own", uid="2", status={"installation": INSTALLATION}),
        a_botrequest("foreign", uid="3", status={"installation": OTHER}),
    ]
    items.append(a_botrequest("labelled", uid="4"))
    items[-1]["metadata"]["labels"] = {"usher.dev/installation": OTHER}
    async with connected(ApiServer(items=items), INSTALLATION) as adapter:
        assert [request.name for request in await adapter.list_requests("bots")] == ["new", "own"]
    async with connected(ApiServer(foreign=items[2]), INSTALLATION) as adapter:
        assert await adapter.get_request("bots", "foreign") is None


async def test_objects_of_another_installation_are_found_by_name() -> None:
    server = ApiServer(
        jobs={"items": [a_job(7)]},
        botrequests={"items": [a_botrequest("own"), a_botrequest("foreign", status={"installation": OTHER})]},
    )
    async with connected(server) as adapter:
        assert await adapter.foreign_objects("bots", installation=INSTALLATION) == ["bot-7", "foreign"]
    assert f"usher.dev/installation,usher.dev/installation!={INSTALLATION}" in server.queries[0]


@pytest.mark.parametrize(("status", "deleted"), [(200, True), (409, False), (404, False)])
async def test_a_job_is_deleted_by_its_uid_if_one_is_given(status: int, deleted: bool) -> None:
    server = ApiServer(status, message="uid")
    async with connected(server) as adapter:
        assert await adapter.delete_job("bots", "bot-1", uid="u-1") is deleted
    assert server.asked[0][2] == {"preconditions": {"uid": "u-1"}}


async def test_a_request_is_deleted_by_its_uid() -> None:
    server = ApiServer()
    async with connected(server) as adapter:
        assert await adapter.delete_request("bots", "standup", uid="u-1")
    assert server.asked[0][2] == {"preconditions": {"uid": "u-1"}}


@pytest.mark.parametrize("status", [404, 409])
async def test_a_request_that_is_gone_or_another_one_is_not_deleted(status: int) -> None:
    async with connected(ApiServer(status, message="uid")) as adapter:
        assert not await adapter.delete_request("bots", "standup", uid="u-1")
