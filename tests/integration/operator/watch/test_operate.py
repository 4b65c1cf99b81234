"""`usher operate` beside an API server that answers with errors: the process lives, and the reconciler goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from kubernetes.aio import client
from prometheus_client import REGISTRY
from pydantic import SecretStr

from tests.fakes.api_server import FakeApiServer
from tests.fakes.objects import a_botrequest
from tests.fakes.settings import some_settings
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_operator.kube.adapter import KubeAdapter
from usher_operator.lifecycle.installation import ForeignNamespace
from usher_operator.processes.operate import operate
from usher_operator.reconcile import reconciler
from usher_operator.watch import handlers, supervisor


@pytest.fixture
async def api_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeApiServer]:
    server = FakeApiServer()
    async with server.running() as url:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "config", url)))

        @asynccontextmanager
        async def connect() -> AsyncIterator[KubeAdapter]:
            async with client.ApiClient(client.Configuration(host=url)) as api:
                yield KubeAdapter(api)

        monkeypatch.setattr(KubeAdapter, "connect", connect)
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "LONGEST_BACKOFF_S", 0.02)
    monkeypatch.setattr(handlers, "FIRST_BACKOFFS_S", ())
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE_S", 0.02)
    monkeypatch.setattr(reconciler, "SHORTEST_PAUSE_S", 0.02)


def sweeps() -> float:
    return REGISTRY.get_sample_value("usher_sweeps_total", {"outcome": "done"}) or 0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("status", [401, 403, 404, 500])
@pytest.mark.parametrize("namespace", ["team-b", None], ids=["one namespace", "everything"])
async def test_errors_of_the_api_server_end_neither_the_process_nor_the_sweeps(
    api_server: FakeApiServer, database_url: str, status: int, namespace: str | None
) -> None:
    settings = some_settings(
        database_url=SecretStr(database_url),
        namespaces=("team-a", "team-b"),
        reconcile_interval_s=0.05,
        operate_port=0,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(operate(settings, stop=stop))
    began = sweeps()
    await until(lambda: sweeps() > began)
    api_server.errors[namespace] = status
    await api_server.drop_watches(namespace)
    asked = len(api_server.requests)
    await until(lambda: len(api_server.requests) > asked + 20)
    began = sweeps()
    await until(lambda: sweeps() > began)
    assert not running.done()
    api_server.errors.clear()
    stop.set()
    await running


async def test_the_lead_is_given_back_before_the_watches_close(
    api_server: FakeApiServer, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing, closed = asyncio.Event(), asyncio.Event()

    async def slow(_supervisor: supervisor.Supervisor, _namespace: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closing.set()
            await closed.wait()

    monkeypatch.setattr(supervisor.Supervisor, "run", slow)
    settings = some_settings(database_url=SecretStr(database_url), namespaces=("team-a",), operate_port=0)
    stop = asyncio.Event()
    running = asyncio.create_task(operate(settings, stop=stop))
    standby = LeaderLock(database)
    await until(lambda: REGISTRY.get_sample_value("usher_leader") == 1)
    assert not await standby.acquire()
    stop.set()
    async with asyncio.timeout(20):
        await closing.wait()
    assert await standby.acquire()
    closed.set()
    await running
    await standby.release()


async def test_a_namespace_of_another_installation_is_no_place_to_start(
    api_server: FakeApiServer, database_url: str
) -> None:
    await api_server.put(a_botrequest("foreign", namespace="team-a", status={"installation": "another"}))
    settings = some_settings(database_url=SecretStr(database_url), namespaces=("team-a",), operate_port=0)
    with pytest.raises(ForeignNamespace, match="Namespace team-a has 1 Jobs or BotRequests of another"):
        await operate(settings, stop=asyncio.Event())
    assert api_server.patched == []
