"""One installation on which whole lives are played: stores, `serve`, `operate`, a kubelet and its bots.

Unlike a `fleet`, nothing is made beforehand: BotRequests come from people, Jobs from `operate`, pods from the Job
controller. Whatever Usher stands on is reached by a proxy of its own, which a run may break.
"""

import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from sqlalchemy import make_url

from dev.cluster import bare
from tests.faults.harness.api import Api
from tests.faults.harness.kubelet import Kubelet
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.stores import Stores
from tests.faults.history.actors.bots import BotObserver
from tests.faults.history.recorder import Recorder
from tests.load.botswarm import Script, Swarm, TokenSigner
from tests.load.botswarm.bot import LONGEST_WAIT_S, Bot
from tests.load.plane import UsherProcess
from usher_models.db.engine import Database

FOLDER = Path(".faults")
HOST = "127.0.0.1"
# Two runs of one process are not to find each other's objects.
_NUMBERS = itertools.count(1)
FIRST_PORT = 18400
FIRST_STORES = 30
BEAT_S = "USHER_HEARTBEAT_INTERVAL_S"
# The receivers of a history listen on loopback, where no webhook may go by itself.
WEBHOOKS = {"USHER_WEBHOOK_ALLOWED_HOSTS": HOST}

# What happened to a bot, and its meeting's native id.
Hears = Callable[[Bot, str, str], None]


@dataclass(frozen=True, kw_only=True)
class Ways:
    """The proxies by which a process reaches what it stands on."""

    postgres: Proxy
    redis: Proxy
    api_server: Proxy

    @property
    def all(self) -> tuple[Proxy, ...]:
        """Each of them."""
        return (self.postgres, self.redis, self.api_server)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A running installation. `truth` reaches Postgres without a proxy, as `api` does the API server."""

    api: Api
    namespace: str
    stores: Stores
    truth: Database
    serve: UsherProcess
    operate: UsherProcess
    swarm: Swarm
    kubelet: Kubelet
    ways: dict[str, Ways]
    """By the command of the process that goes them."""
    callbacks: Proxy
    """Before `serve`, as bots reach it."""

    @property
    def api_url(self) -> str:
        """The REST API."""
        return f"http://{HOST}:{self.serve.health_port}"


@dataclass(frozen=True, kw_only=True)
class Plot:
    """What an installation is made from. `number` keeps installations apart; `clocks` are `USHER_…` settings."""

    number: int
    name: str
    seed: int
    clocks: Mapping[str, str]
    script_of: Callable[[str], Script]
    longest_wait_s: float = LONGEST_WAIT_S
    """Between two tries of a bot."""
    hears: Hears | None = None
    host_of: Callable[[str], str] = lambda _: HOST
    """How `postgres`, `redis` and `api_server` are called."""
    api_url: str | None = None
    """The API server as the processes reach it; None: by a TCP proxy."""
    prefix: tuple[str, ...] = ()
    """A wrapper of the processes that replaces itself with them."""
    recorder: Recorder | None = None
    """Where the history goes."""


@asynccontextmanager
async def a_ground(api: Api, plot: Plot) -> AsyncIterator[Installation]:
    """An installation for as long as the context lasts."""
    namespace = f"{plot.name}-{plot.number}-{os.getpid()}-{next(_NUMBERS)}"
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(Stores.up(number=FIRST_STORES + plot.number))
        url = stores.create_database(plot.name)
        truth = Database.connect(url, pool_size=4, application_name="usher-truth")
        stack.push_async_callback(truth.close)
        ways = {command: await _ways(stack, stores) for command in ("serve", "operate")}
        callbacks = await stack.enter_async_context(Proxy.before(_first_port(plot)))
        await api.prepare_namespace(namespace)
        kubelet = Kubelet(api, namespace=namespace, script_of=plot.script_of)
        swarm = _swarm(plot, kubelet, callbacks, redis_url=stores.settings.redis_url)
        await stack.enter_async_context(swarm.running())
        await stack.enter_async_context(kubelet.running(swarm))
        serve, operate = processes(plot, url, ways, namespace=namespace)
        for process in (serve, operate):
            await stack.enter_async_context(process.running())
        yield Installation(
            api=api,
            namespace=namespace,
            stores=stores,
            truth=truth,
            serve=serve,
            operate=operate,
            swarm=swarm,
            kubelet=kubelet,
            ways=ways,
            callbacks=callbacks,
        )
        for process in (serve, operate):
            await process.stop(signal.SIGKILL)


async def _ways(stack: AsyncExitStack, stores: Stores) -> Ways:
    ports = {
        "postgres": stores.settings.postgres_port,
        "redis": stores.settings.redis_port,
        "api_server": bare.load().apiserver_port,
    }
    return Ways(**{name: await stack.enter_async_context(Proxy.before(port)) for name, port in ports.items()})


def _first_port(plot: Plot) -> int:
    return FIRST_PORT + 10 * plot.number


def _swarm(plot: Plot, kubelet: Kubelet, callbacks: Proxy, *, redis_url: str) -> Swarm:
    def hear(bot: Bot, event: str, _at: float) -> None:
        kubelet.told(bot, event)
        if plot.hears is not None:
            plot.hears(bot, event, kubelet.native_ids.get(bot.identity.connection_id, ""))

    return Swarm(
        url=f"http://{HOST}:{callbacks.port}",
        tokens=TokenSigner.of_cluster(bare.load()),
        redis_url=redis_url,
        beat_s=float(plot.clocks[BEAT_S]),
        longest_wait_s=plot.longest_wait_s,
        seed=plot.seed,
        on_event=hear,
        observer=BotObserver(plot.recorder) if plot.recorder else None,
    )


def processes(
    plot: Plot, database_url: str, ways: Mapping[str, Ways], *, namespace: str
) -> tuple[UsherProcess, UsherProcess]:
    """`serve` and `operate`, not started yet, with everything behind its proxy."""
    first = _first_port(plot)
    folder = FOLDER / f"{plot.name}-{plot.number}"
    names = ("USHER_CALLBACK_PORT", "USHER_API_PORT", "USHER_OPERATE_PORT")
    ports = {name: str(first + place) for place, name in enumerate(names)} | {"USHER_METRICS_PORT": "0"}

    def process(command: str, health_port: int) -> UsherProcess:
        own = ways[command]
        postgres = make_url(database_url).set(host=plot.host_of("postgres"), port=own.postgres.port)
        server = plot.api_url or f"https://{plot.host_of('api_server')}:{own.api_server.port}"
        return UsherProcess(
            command=command,
            kubeconfig=_kubeconfig(folder / command, server=server),
            database_url=postgres.render_as_string(hide_password=False),
            redis_url=f"redis://{plot.host_of('redis')}:{own.redis.port}/0",
            prefix=plot.prefix,
            log=folder / f"{command}.log",
            health_port=health_port,
            settings=ports | {"USHER_NAMESPACES": namespace} | WEBHOOKS | dict(plot.clocks),
        )

    return process("serve", first + 1), process("operate", first + 2)


def _kubeconfig(folder: Path, *, server: str) -> Path:
    """The administrator's, by way of a proxy."""
    body = yaml.safe_load(bare.load().kubeconfig().read_text())
    for cluster in body["clusters"]:
        cluster["cluster"]["server"] = server
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(body))
    return path.resolve()
