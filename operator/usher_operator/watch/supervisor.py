"""Keeping one watch per namespace alive: whatever a watch meets costs that namespace its watch, never the process.

Inside a watch kopf retries a request without end (see `handlers.configure`). It still gives up after 401, 404 and an
error event: then the watch is started anew after a pause. Meanwhile the reconciler lists that namespace, if it can, and
repairs what the watch missed.

kopf's own `run_tasks` is not used. At the end of an operator it cancels every task of the loop that is younger than it,
and with several operators in one loop these would be tasks of the others.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from types import CodeType
from typing import Any, NoReturn

import kopf
from kopf._cogs.structs.credentials import Vault
from kopf._cogs.structs.references import Insights
from kopf._core.engines.peering import Identity

from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.adapter import PLURAL
from usher_operator.kube.port import KubePort
from usher_operator.lifecycle.installation import check_namespace
from usher_operator.telemetry import WATCH_RESTARTS
from usher_operator.watch.handlers import configure

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
# A watch that lived this long was well: the next pause is a short one again.
HEALTHY_AFTER_S = 60.0
KOPF = os.path.dirname(kopf.__file__)
# Tasks inherit it: it tells the tasks of one watch from those of the others.
_VAULT: ContextVar[Vault | None] = ContextVar("vault", default=None)


class WatchEnded(Exception):
    """kopf stopped without an error."""


class NotServed(Exception):
    """The API server does not serve BotRequests and Jobs; is the definition of BotRequest installed?"""


class Supervisor:
    """Runs watches. kopf installs its own signal handlers with each one; `on_started` puts the process's back."""

    def __init__(
        self,
        registry: kopf.OperatorRegistry,
        *,
        installation: str,
        kube: KubePort,
        on_started: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._installation = installation
        self._kube = kube
        self._on_started = on_started
        self._sleep = sleep
        self._clock = clock

    async def run(self, namespace: str) -> NoReturn:
        """Watch a namespace for ever."""
        asyncio.get_running_loop().set_exception_handler(_log_unless_kopfs)
        pause_s = FIRST_PAUSE_S
        while True:
            began = self._clock()
            try:
                await self._watch(namespace)
            except Exception as exc:
                if self._clock() - began >= HEALTHY_AFTER_S:
                    pause_s = FIRST_PAUSE_S
                WATCH_RESTARTS.labels(namespace=namespace).inc()
                _log(namespace, exc, pause_s=pause_s)
            await self._sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _watch(self, namespace: str) -> NoReturn:
        """Watch until kopf gives up; raises why. Raises ForeignNamespace."""
        with suppress(KubernetesUnavailable):
            await check_namespace(self._kube, namespace, installation=self._installation)
        insights, vault = Insights(), Vault()
        tasks = await _finished(self._spawn(namespace, insights, vault), undo=lambda tasks: _end(tasks, vault))
        self._on_started()
        served = asyncio.create_task(_check_served(insights), name="served")
        try:
            done = await _first_of(served, *tasks)
        finally:
            await _finished(_end([served, *tasks], vault))
        for task in done:
            task.result()
        raise WatchEnded

    async def _spawn(self, namespace: str, insights: Insights, vault: Vault) -> Sequence[asyncio.Task[None]]:
        _VAULT.set(vault)
        tasks = await kopf.spawn_tasks(
            registry=self._registry,
            settings=configure(kopf.OperatorSettings(), installation=self._installation),
            insights=insights,
            vault=vault,
            namespaces=[namespace],
            standalone=True,
            # kopf would ask for the user's name, which an unprivileged uid of a container does not have.
            identity=Identity("usher"),
        )
        return list(tasks)


async def _finished[Result](
    work: Coroutine[Any, Any, Result], *, undo: Callable[[Result], Awaitable[None]] | None = None
) -> Result:
    """The result of work that a cancellation must not cut off: it is raised afterwards, when the work is undone."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        result = await task
        if undo is not None:
            await undo(result)
        raise


async def _check_served(insights: Insights) -> None:
    """Raises NotServed. kopf looks once, at its start, and would wait for ever for what it did not find."""
    await insights.ready_resources.wait()
    if {resource.plural for resource in insights.watched_resources} != {PLURAL, "jobs"}:
        raise NotServed(str(NotServed.__doc__))


async def _first_of(check: asyncio.Task[None], *tasks: asyncio.Task[None]) -> set[asyncio.Task[None]]:
    """The tasks that ended first; a check that succeeded does not count."""
    done, pending = await asyncio.wait({check, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    if done == {check} and check.exception() is None:
        done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _end(tasks: Iterable[asyncio.Task[None]], vault: Vault) -> None:
    await _cancelled(tasks)
    # kopf leaves the other watches of an operator running when one of them fails. Each closes its own helpers, which
    # must not be cancelled before it.
    await _cancelled(task for task in _tasks_of(vault) if _code_of(task).co_name == "guard")
    await _cancelled(_tasks_of(vault))
    await vault.close()  # kopf closes it only if all its tasks ended well


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    found = list(tasks)
    for task in found:
        task.cancel()
    await asyncio.gather(*found, return_exceptions=True)


def _tasks_of(vault: Vault) -> list[asyncio.Task[Any]]:
    """kopf's own tasks that were started by the watch with that vault, and by nothing else that its handlers call."""
    return [
        task
        for task in asyncio.all_tasks()
        if task.get_context().get(_VAULT) is vault and _code_of(task).co_filename.startswith(KOPF)
    ]


def _code_of(task: asyncio.Task[Any]) -> CodeType:
    return getattr(task.get_coro(), "cr_code", _code_of.__code__)


def _log_unless_kopfs(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """kopf logs the error of the task that ended a watch, and leaves those of its other tasks to the garbage collector,
    which would log one traceback for each."""
    task = context.get("future")
    if not (isinstance(task, asyncio.Task) and _code_of(task).co_filename.startswith(KOPF)):
        loop.default_exception_handler(context)


def _log(namespace: str, exc: Exception, *, pause_s: float) -> None:
    logger.warning(
        "The watch of namespace %s ended (%s: %s) and is started again in %g s; the reconciler goes on.",
        namespace,
        type(exc).__name__,
        exc,
        pause_s,
        extra={"action": "watch_restarted", "namespace": namespace},
    )
