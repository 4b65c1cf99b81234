"""Watches against an API server that answers with errors: a namespace loses its watch for a while, and nothing else."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import kopf
import pytest

from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import FakeClock
from tests.fakes.kube import FakeKube
from tests.fakes.objects import a_botrequest
from tests.fakes.settings import INSTALLATION
from usher_operator.kube.adapter import GROUP, PLURAL, VERSION
from usher_operator.watch import handlers
from usher_operator.watch.supervisor import Supervisor, WatchEnded

TEAMS = ("team-a", "team-b")
Watches = Callable[[], AbstractAsyncContextManager[dict[str, "asyncio.Task[object]"]]]
EXPIRED = {"kind": "Status", "code": 500, "message": "etcdserver: leader changed"}


class Seen:
    """What the watches brought, by namespace and name."""

    def __init__(self) -> None:
        self.names: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    def registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
            return kopf.login_with_kubeconfig(**kwargs)

        @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
        async def request_seen(namespace: str | None, name: str, **_: Any) -> None:
            self.names.append((str(namespace), name))
            self._news.set()

        @kopf.on.event("batch", "v1", "jobs", registry=registry)
        async def job_seen(**_: Any) -> None:
            pass

        return registry

    async def until(self, namespace: str, name: str) -> None:
        async with asyncio.timeout(10):
            while (namespace, name) not in self.names:
                self._news.clear()
                await self._news.wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "FIRST_BACKOFFS_S", ())
    monkeypatch.setattr(handlers, "LONGEST_BACKOFF_S", 0.02)


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeApiServer]:
    server = FakeApiServer()
    async with server.running() as url:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "config", url)))
        yield server


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def pauses() -> list[float]:
    return []


@asynccontextmanager
async def watching(seen: Seen, pauses: list[float]) -> AsyncIterator[dict[str, asyncio.Task[object]]]:
    """The watch of each namespace, running."""

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0.02)

    supervisor = Supervisor(
        seen.registry(), installation=INSTALLATION, kube=FakeKube(), on_started=lambda: None, sleep=pause
    )
    tasks: dict[str, asyncio.Task[object]] = {team: asyncio.create_task(supervisor.run(team)) for team in TEAMS}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)


def asked(server: FakeApiServer, namespace: str) -> int:
    return sum(f"/{namespace}/" in path for _, path in server.requests)


@pytest.fixture
def watches(seen: Seen, pauses: list[float]) -> Watches:
    """Starts the watches."""
    return lambda: watching(seen, pauses)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500, 503])
async def test_a_namespace_that_answers_with_errors_costs_itself_its_watch_and_no_other(
    server: FakeApiServer, seen: Seen, watches: Watches, status: int
) -> None:
    async with watches() as tasks:
        await server.put(a_botrequest("first", namespace="team-a", uid="1"))
        await seen.until("team-a", "first")
        server.errors["team-b"] = status
        await server.drop_watches("team-b")
        before = asked(server, "team-b")
        await until(lambda: asked(server, "team-b") > before + 12)
        await server.put(a_botrequest("meanwhile", namespace="team-a", uid="2"))
        await seen.until("team-a", "meanwhile")
        server.errors.clear()
        await server.put(a_botrequest("afterwards", namespace="team-b", uid="3"))
        await seen.until("team-b", "afterwards")
        assert not any(task.done() for task in tasks.values())


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
async def test_a_server_that_answers_everything_with_errors_from_the_start_ends_no_watch(
    server: FakeApiServer, seen: Seen, watches: Watches, status: int
) -> None:
    server.errors[None] = status
    async with watches() as tasks:
        await until(lambda: len(server.requests) > 12)
        server.errors.clear()
        await server.put(a_botrequest("afterwards", namespace="team-a", uid="1"))
        await seen.until("team-a", "afterwards")
        assert not any(task.done() for task in tasks.values())


async def test_an_error_event_in_one_watch_starts_it_anew_with_a_sentence(
    server: FakeApiServer, seen: Seen, watches: Watches, caplog: pytest.LogCaptureFixture
) -> None:
    async with watches():
        for team in TEAMS:
            await server.put(a_botrequest("first", namespace=team, uid=team))
            await seen.until(team, "first")
        with caplog.at_level(logging.WARNING, logger="usher_operator"):
            await server.drop_watches("team-b", error=EXPIRED)
            await server.put(a_botrequest("second", namespace="team-b", uid="2"))
            await seen.until("team-b", "second")
        (record,) = (one for one in caplog.records if one.__dict__.get("action") == "watch_restarted")
        assert record.getMessage().startswith("The watch of namespace team-b ended (WatchingError: ")
        assert [name for team, name in seen.names if team == "team-a"] == ["first"]


async def test_a_definition_that_is_installed_later_is_watched_then(
    server: FakeApiServer, seen: Seen, watches: Watches, pauses: list[float]
) -> None:
    server.served = {("batch", "v1")}
    async with watches():
        await until(lambda: len(pauses) > 4)
        server.served.add((GROUP, VERSION))
        await server.put(a_botrequest("first", namespace="team-a", uid="1"))
        await seen.until("team-a", "first")


class Failing(Supervisor):
    """Watches that end after `lasts` seconds each."""

    def __init__(self, clock: FakeClock, lasts: Sequence[float], sleep: Callable[[float], Awaitable[None]]) -> None:
        super().__init__(
            kopf.OperatorRegistry(),
            installation=INSTALLATION,
            kube=FakeKube(),
            on_started=lambda: None,
            sleep=sleep,
            clock=clock,
        )
        self._fake, self._lasts = clock, iter(lasts)

    async def _watch(self, namespace: str) -> NoReturn:
        self._fake.advance(next(self._lasts, 0))
        raise WatchEnded


async def test_pauses_grow_up_to_a_ceiling_and_are_short_again_after_a_watch_that_was_well() -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 12:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Failing(FakeClock(), [0] * 8 + [3600], pause).run("team-a")
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 1, 2, 4, 8]


async def test_the_end_of_a_watch_leaves_younger_tasks_alone(
    server: FakeApiServer, seen: Seen, watches: Watches, pauses: list[float]
) -> None:
    async with watches():
        await server.put(a_botrequest("first", namespace="team-b", uid="1"))
        await seen.until("team-b", "first")
        younger = asyncio.create_task(asyncio.Event().wait())
        await server.drop_watches("team-b", error=EXPIRED)
        await until(lambda: bool(pauses))
        assert not younger.done()
        younger.cancel()


def watcher_tasks(team: str) -> list[str]:
    return [name for task in asyncio.all_tasks() if (name := task.get_name()).endswith(f"@{team}")]


async def test_a_watch_that_ended_leaves_no_task_behind(
    server: FakeApiServer, seen: Seen, watches: Watches, pauses: list[float]
) -> None:
    """kopf would leave the watch of BotRequests running beside its successor when the one of Jobs fails."""
    before = asyncio.all_tasks()
    async with watches():
        await server.put(a_botrequest("first", namespace="team-b", uid="1"))
        await seen.until("team-b", "first")
        await server.drop_watches("team-b", error=EXPIRED)
        await until(lambda: bool(pauses))
        await server.put(a_botrequest("second", namespace="team-b", uid="2"))
        await seen.until("team-b", "second")
        assert len(watcher_tasks("team-b")) == 2
    assert {task for task in asyncio.all_tasks() - before if "kopf" in str(task.get_coro())} == set()


def test_pauses_between_attempts_have_no_end() -> None:
    settings = handlers.configure(kopf.OperatorSettings(), installation=INSTALLATION)
    backoffs: Iterator[float] = iter(settings.networking.error_backoffs)  # type: ignore[arg-type]
    assert max(next(backoffs) for _ in range(10_000)) == handlers.LONGEST_BACKOFF_S
    assert settings.process.ultimate_exiting_timeout is None
