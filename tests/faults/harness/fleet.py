"""One installation with its bots: stores of its own, `serve`, `operate`, and a swarm that speaks to them by proxies.

What Usher needs to believe in a bot is there for real: its row, its BotRequest, its Job. The Jobs are those of
another controller than Kubernetes' own, so that no pod is made: the swarm plays the bots. Clocks are the defaults.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import text

from dev.cluster import bare
from tests.fakes.settings import INSTALLATION, some_settings
from tests.faults.harness.api import JOBS, REQUESTS, Api
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.stores import Stores
from tests.faults.history.actors.bots import BotObserver
from tests.faults.history.format import What
from tests.faults.history.recorder import Recorder
from tests.load import rows
from tests.load.botswarm import Script, Swarm, TokenSigner
from tests.load.plane import UsherProcess
from usher_models.db import bots
from usher_models.db.engine import Database
from usher_models.errors import DatabaseUnavailable
from usher_operator.kube.job import build_job
from usher_operator.processes.operate import job_settings

FOLDER = Path(".faults")
FIRST_PORT = 18200
AT_ONCE = 24

_REQUESTS = text("SELECT meeting_id, request_name, spec FROM usher.bots")
_ADOPT = text("UPDATE usher.bots SET request_uid = CAST(:uid AS uuid) WHERE meeting_id = :meeting_id")
_NOT_ACTIVE = text("SELECT count(*) FROM meetings WHERE status <> 'active'")
_UNHEARD = text("SELECT count(*) FROM usher.heartbeats WHERE at < :since")


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """A running installation."""

    stores: Stores
    truth: Database
    serve: UsherProcess
    operate: UsherProcess
    callbacks: Proxy
    api_server: Proxy
    swarm: Swarm

    async def not_active(self) -> int:
        """How many bots' rows are anything but active."""
        return int(await self._ask(_NOT_ACTIVE))

    async def all_heard(self, *, within_s: float) -> float:
        """Seconds until every bot was heard of since now; at most `within_s`."""
        began = time.monotonic()
        since = await self._ask(text("SELECT now()"))
        while await self._ask(_UNHEARD, since=since) and time.monotonic() - began < within_s:  # noqa: ASYNC110 - polled
            await asyncio.sleep(0.5)
        return time.monotonic() - began

    async def _ask(self, question: Any, **values: Any) -> Any:
        while True:
            try:
                async with self.truth.transaction() as connection:
                    return await connection.scalar(question, values)
            except DatabaseUnavailable:
                await asyncio.sleep(0.5)


@asynccontextmanager
async def a_world(
    api: Api, *, number: int, bots: int, seed: int, recorder: Recorder | None = None
) -> AsyncIterator[Fleet]:
    """A world with that many live bots, for as long as the context lasts. `number` keeps worlds apart.

    What its bots say goes to the history of `recorder`.
    """
    namespace = f"world-{number}-{seed}"
    folder = FOLDER / f"world-{number}"
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(Stores.up(number=10 + number))
        url = stores.create_database("world")
        truth = Database.connect(url, pool_size=2, application_name="usher-truth")
        stack.push_async_callback(truth.close)
        api_server = await stack.enter_async_context(Proxy.before(bare.load().apiserver_port))
        first = FIRST_PORT + 10 * number
        callbacks = await stack.enter_async_context(Proxy.before(first))
        processes = _processes(stores, url, folder, namespace=namespace, first=first, api_port=api_server.port)
        await api.prepare_namespace(namespace)
        identities = await rows.live_bots(truth, bots, namespace=namespace)
        await _make_objects(truth, api, namespace)
        for process in processes:
            await stack.enter_async_context(process.running())
        tokens = TokenSigner.of_cluster(bare.load())
        observer = BotObserver(recorder) if recorder else None
        swarm = Swarm(url=f"http://127.0.0.1:{callbacks.port}", tokens=tokens, seed=seed, observer=observer)
        await stack.enter_async_context(swarm.running())
        for identity in identities:
            if recorder is not None:
                recorder.see("setup", What.MADE, meeting=identity.meeting_id)
            swarm.add(identity, Script(present=True, meeting_s=7200))
        serve, operate = processes
        yield Fleet(
            stores=stores,
            truth=truth,
            serve=serve,
            operate=operate,
            callbacks=callbacks,
            api_server=api_server,
            swarm=swarm,
        )
        for process in processes:
            await process.stop(signal.SIGKILL)


def _processes(
    stores: Stores, url: str, folder: Path, *, namespace: str, first: int, api_port: int
) -> tuple[UsherProcess, UsherProcess]:
    names = ("USHER_CALLBACK_PORT", "USHER_API_PORT", "USHER_OPERATE_PORT")
    ports = {name: str(first + place) for place, name in enumerate(names)}
    settings = ports | {"USHER_METRICS_PORT": "0", "USHER_NAMESPACES": namespace}
    kubeconfig = _kubeconfig(folder, port=api_port)

    def process(command: str, health_port: int) -> UsherProcess:
        return UsherProcess(
            command=command,
            kubeconfig=kubeconfig,
            database_url=url,
            redis_url=stores.settings.redis_url,
            log=folder / f"{command}.log",
            health_port=health_port,
            settings=settings,
        )

    return process("serve", first + 1), process("operate", first + 2)


def _kubeconfig(folder: Path, *, port: int) -> Path:
    """The administrator's, by way of a proxy."""
    body = yaml.safe_load(bare.load().kubeconfig().read_text())
    for cluster in body["clusters"]:
        cluster["cluster"]["server"] = f"https://127.0.0.1:{port}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(body))
    return path.resolve()


async def _make_objects(truth: Database, api: Api, namespace: str) -> None:
    """The BotRequest and the Job of each row."""
    turns = asyncio.Semaphore(AT_ONCE)
    uids: list[dict[str, Any]] = []

    async def request_of(row: Any) -> None:
        body = {
            "apiVersion": "usher.dev/v1alpha1",
            "kind": "BotRequest",
            "metadata": {"name": row.request_name},
            "spec": row.spec,
        }
        async with turns:
            made = await api.make(REQUESTS.format(namespace), body)
        uids.append({"meeting_id": row.meeting_id, "uid": made["metadata"]["uid"]})

    async def job_of(body: dict[str, Any]) -> None:
        # Not suspended: a bot that was in its meeting and whose Job is suspended has lost its pod.
        body["spec"]["managedBy"] = "usher.dev/harness"
        async with turns:
            await api.make(JOBS.format(namespace), body)

    async with truth.transaction() as connection:
        found = (await connection.execute(_REQUESTS)).all()
    await asyncio.gather(*map(request_of, found))
    async with truth.transaction() as connection:
        await connection.execute(_ADOPT, uids)
        live = await bots.live_bots(connection)
    shape = job_settings(some_settings(namespaces=(namespace,)), installation=INSTALLATION)
    await asyncio.gather(*(job_of(dict(build_job(bot, shape))) for bot in live))
