"""One process of the control plane, `operate` and `serve` in one, with a switch at each of its writes.

It is made of the same parts as production, wired the same way; only the watch is replaced by `look`, so that a life
comes to its writes in the same order each time. A site that died is closed and another one is made on the same stores.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import aiohttp
import psycopg
from aiohttp import web
from kubernetes.aio import client, config
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.fakes.epoch import an_epoch
from tests.fakes.settings import INSTALLATION
from tests.faults.crash.fault_injector import FaultInjector, Mode, caller
from tests.faults.harness.api import JOBS, REQUESTS, Api, Json
from tests.load.botswarm import TokenSigner
from usher_models.db.engine import Database
from usher_models.db.leader_lock import UNFENCED, LeaderLock
from usher_models.errors import DatabaseUnavailable, KubernetesUnavailable, Unavailable
from usher_models.redis_server import RedisServer
from usher_operator.callbacks.cluster_keys import KeyRing
from usher_operator.callbacks.pod_token import TokenVerifier
from usher_operator.callbacks.replica_heartbeat import _record
from usher_operator.callbacks.routes import Callbacks
from usher_operator.kube.adapter import KubeAdapter
from usher_operator.kube.botrequest import BotRequest
from usher_operator.lifecycle.allowed_spec import AllowedSpec
from usher_operator.lifecycle.close import Closer, Ends
from usher_operator.lifecycle.commands import Commander, RedisPublisher
from usher_operator.lifecycle.create_request import RequestCreator
from usher_operator.lifecycle.ensure import Ensurer
from usher_operator.lifecycle.evidence.collector import NoEvidence
from usher_operator.lifecycle.finished_job import FinishedJob
from usher_operator.lifecycle.hold import Hold
from usher_operator.lifecycle.termination import Termination
from usher_operator.processes.operate import job_settings
from usher_operator.processes.serve import JWKS_PATH, public_api
from usher_operator.reconcile.reconciler import Reconciler
from usher_operator.reconcile.sweep import Acts, Memory
from usher_operator.redis_acl.account import RedisAccount, meeting_of
from usher_operator.redis_acl.users import AclUsers
from usher_operator.settings import Settings
from usher_operator.watch.in_flight import InFlight
from usher_operator.watch.status_writer import StatusWriter
from usher_operator.webhooks.guard import Guard
from usher_operator.webhooks.sender import Sender
from usher_operator.webhooks.transport import Answer, Transport

_END_SESSIONS = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
# What a dead process had claimed is sent by the next one after this long.
WEBHOOK_LEASE_S = 0.5
REDIS_SECRET = "of-thirty-two-characters-or-more"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What outlives a process: the stores, the API server, and how a person and a kubelet reach it."""

    database_url: str
    redis_url: str
    namespace: str
    kubeconfig: str
    issuer: str
    api: Api
    signer: TokenSigner
    settings: Settings


class FaultyDatabase(Database):
    """Every commit that writes passes the switch."""

    fault_injector: FaultInjector

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """See Database."""
        name, mode = f"commit of {caller()}", None
        async with super().transaction() as connection:
            yield connection
            if await connection.scalar(text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")):
                mode = await self.fault_injector.pass_by(name)
            if mode is Mode.DIE_BEFORE:
                await self.fault_injector.die()
        if mode is Mode.DIE_AFTER:
            await self.fault_injector.die()
        if mode is Mode.LOST:
            raise DatabaseUnavailable("The reply to the commit was lost.")
        # A transaction is not repeated by itself: whoever asked for it asks again.
        self.fault_injector.again = self.fault_injector.again or mode is Mode.TWICE

    @asynccontextmanager
    async def at_once(self) -> AsyncIterator[AsyncConnection]:
        """See Database. Of its one exchange this makes two, so that there is a moment before the commit."""
        async with self.transaction() as connection:
            yield connection


class FaultyKube(KubeAdapter):
    """Every write to the API server passes the switch."""

    fault_injector: FaultInjector

    async def create_job(self, namespace: str, job: Json) -> bool:
        """See KubePort."""
        return await self._switched("creation of the Job", lambda: KubeAdapter.create_job(self, namespace, job))

    async def delete_job(self, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """See KubePort."""
        return await self._switched(
            "deletion of the Job", lambda: KubeAdapter.delete_job(self, namespace, name, uid=uid)
        )

    async def create_request(self, namespace: str, request: Json) -> bool:
        """See KubePort."""
        return await self._switched(
            "creation of the BotRequest", lambda: KubeAdapter.create_request(self, namespace, request)
        )

    async def patch_request_status(self, namespace: str, name: str, status: Json, *, uid: str) -> bool:
        """See KubePort."""
        return await self._switched(
            "patch of the BotRequest's status",
            lambda: KubeAdapter.patch_request_status(self, namespace, name, status, uid=uid),
        )

    async def create_event(self, namespace: str, event: Json) -> None:
        """See KubePort; its failure is nobody's business."""
        await self.fault_injector.around(
            f"Event of {caller()}", lambda: KubeAdapter.create_event(self, namespace, event), lost=None
        )

    async def _switched(self, what: str, write: Any) -> bool:
        return bool(
            await self.fault_injector.around(
                f"{what} by {caller()}", write, lost=lambda: KubernetesUnavailable("The reply was lost.")
            )
        )


class FaultyRedis(Redis):
    """Every publish passes the switch."""

    fault_injector: FaultInjector

    async def publish(self, channel: Any, message: Any, **kwargs: Any) -> Any:
        """See Redis."""
        kind = "meeting" if ":meeting:" in str(channel) else "connection"
        return await self.fault_injector.around(
            f"publish on the {kind}'s channel",
            lambda: Redis.publish(self, channel, message, **kwargs),
            lost=lambda: RedisConnectionError("The reply was lost."),
        )


class FaultyUsers(AclUsers):
    """Every change of Redis' users passes the switch."""

    fault_injector: FaultInjector

    async def _make(self, accounts: Collection[RedisAccount]) -> None:
        if accounts:
            await self._switched("creation of a bot's Redis user", lambda: AclUsers._make(self, accounts))

    async def _remove(self, names: list[str]) -> None:
        if names:
            await self._switched("removal of a bot's Redis user", lambda: AclUsers._remove(self, names))

    async def _switched(self, what: str, write: Callable[[], Awaitable[None]]) -> None:
        await self.fault_injector.around(what, write, lost=lambda: RedisConnectionError("The reply was lost."))

    async def look(self) -> None:
        """What its loop does, once."""
        await self._note_outcome(self.make_expected)
        await self._note_outcome(self.compare)

    async def findings(self) -> list[str]:
        """Users of meetings that are over."""
        return [f"Redis still knows {name}" for name in await self._ask("ACL USERS") if meeting_of(name) is not None]


class FaultyTransport(Transport):
    """Every webhook that is sent passes the switch."""

    fault_injector: FaultInjector

    async def _post(self, url: str, body: str, headers: Mapping[str, str]) -> Answer:
        return await self.fault_injector.around(
            "send of a webhook",
            lambda: Transport._post(self, url, body, headers),
            lost=lambda: aiohttp.ClientError("The reply was lost."),
        )


class Site:
    """One process. `open` it, use it until it dies, `close` it."""

    def __init__(self, installation: Installation, fault_injector: FaultInjector) -> None:
        self.installation = installation
        self.fault_injector = fault_injector
        self._name = f"usher-crash-{uuid4().hex[:8]}"
        self.callbacks_url = ""
        self.api_url = ""
        self._stack = AsyncExitStack()
        self._known: dict[str, BotRequest] = {}

    async def open(self) -> None:
        """Start it."""
        installation, settings = self.installation, self.installation.settings
        self.database = FaultyDatabase.connect(installation.database_url, pool_size=8, application_name=self._name)
        self.database.fault_injector = self.fault_injector
        self._stack.push_async_callback(self.database.close)
        redis = cast(FaultyRedis, FaultyRedis.from_url(installation.redis_url, socket_timeout=2))
        redis.fault_injector = self.fault_injector
        publisher = RedisPublisher(redis)
        self._stack.push_async_callback(publisher.close)
        kube = await self._kube()
        commander = Commander(self.database, publisher)
        self.users = FaultyUsers(
            redis=Redis.from_url(installation.redis_url, socket_timeout=5, decode_responses=True),
            server=RedisServer.of(installation.redis_url),
            secret=REDIS_SECRET,
            database=self.database,
        )
        self.users.fault_injector = self.fault_injector
        self._stack.push_async_callback(self.users.close)
        hold = Hold()
        self.ensurer = Ensurer(
            database=self.database,
            kube=kube,
            commander=commander,
            redis_users=self.users,
            job_settings=job_settings(settings, installation=INSTALLATION),
            allowed=AllowedSpec(settings),
            hold=hold,
            now=lambda: datetime.now(UTC),
            fence=UNFENCED,
        )
        self._lock = LeaderLock(self.database, lease_s=settings.leader_lease_s)
        closer = Closer(ends=Ends(self.database, fence=self._lock), kube=kube, evidence=NoEvidence())
        self.finished_job = FinishedJob(database=self.database, kube=kube, closer=closer)
        self.reconciler = Reconciler(
            settings=settings,
            database=self.database,
            kube=kube,
            acts=Acts(
                commander=commander,
                ensurer=self.ensurer,
                closer=closer,
                request_creator=RequestCreator(database=self.database, kube=kube),
            ),
            memory=Memory.empty(settings=settings, kube=kube, clock=time.monotonic),
            epoch=an_epoch(self.database, settings=settings, kube=kube, hold=hold, clock=time.monotonic),
            lock=self._lock,
            in_flight=InFlight(),
            installation=INSTALLATION,
            clock=time.monotonic,
        )
        self._stack.push_async_callback(self._cut_lock)
        self.status_writer = StatusWriter(
            database=self.database,
            kube=kube,
            delay_s=settings.status_write_delay_s,
            installation=INSTALLATION,
            now=lambda: datetime.now(UTC),
            fence=self._lock,
        )
        transport = FaultyTransport(Guard(["127.0.0.1"]))
        transport.fault_injector = self.fault_injector
        self._stack.push_async_callback(transport.close)
        self.sender = Sender(database=self.database, transport=transport, lease_s=WEBHOOK_LEASE_S)
        verifier = TokenVerifier(
            KeyRing(lambda: kube.get_raw(JWKS_PATH)),
            issuers=(installation.issuer,),
            audience=settings.token_audience,
            namespaces=settings.namespaces,
            service_account=settings.bot_service_account,
        )
        callbacks = Callbacks(
            database=self.database,
            verifier=verifier,
            heartbeat_interval_s=settings.heartbeat_interval_s,
            termination=Termination(kube),
        )
        self.callbacks_url = await self._listen(callbacks.application())
        self.api_url = await self._listen(public_api(settings, database=self.database, publisher=publisher, kube=kube))

    async def close(self) -> None:
        """End it as SIGKILL does: what it holds open is cut, its transactions first."""
        url = make_url(self.installation.database_url).set(drivername="postgresql")
        dsn = url.render_as_string(hide_password=False)
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute(_END_SESSIONS, (self._name,))
        await self._stack.aclose()

    async def _kube(self) -> FaultyKube:
        configuration = client.Configuration()
        await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=self.installation.kubeconfig, client_configuration=configuration
        )
        kube = FaultyKube(await self._stack.enter_async_context(client.ApiClient(configuration)))
        kube.fault_injector = self.fault_injector
        return kube

    async def _listen(self, app: web.Application) -> str:
        app.middlewares.insert(0, self._replying())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    def _replying(self) -> Any:
        @web.middleware
        async def replying(request: web.Request, handler: Any) -> web.StreamResponse:
            response: web.StreamResponse = await handler(request)
            resource = request.match_info.route.resource
            path = resource.canonical if resource else request.path
            mode = await self.fault_injector.pass_by(f"reply to {request.method} {path}")
            if mode is Mode.DIE_BEFORE:
                await self.fault_injector.die()
            if mode is Mode.LOST and request.transport is not None:
                request.transport.abort()
            if mode is Mode.DIE_AFTER:
                asyncio.get_running_loop().call_later(0.02, self.fault_injector.died.set)
            self.fault_injector.again = self.fault_injector.again or mode is Mode.TWICE
            return response

        return replying

    async def _cut_lock(self) -> None:
        connection = self._lock._connection
        self._lock._connection = None
        if connection is not None:
            with suppress(Exception):
                await connection.invalidate()
            await connection.close()

    async def look(self) -> None:
        """What the watch would bring, all of it, then one sweep, then the mirror."""
        await self._lock.acquire()
        api, namespace = self.installation.api, self.installation.namespace
        bodies = await api.items(REQUESTS.format(namespace))
        requests = {body["metadata"]["uid"]: BotRequest.from_object(body) for body in bodies}
        for uid in set(self._known) - set(requests):
            await _guarded(self.ensurer.withdraw(self._known[uid]))
        for request in requests.values():
            await _guarded(self.ensurer.ensure(request))
        self._known = requests
        for job in await api.items(JOBS.format(namespace), labelSelector="app.kubernetes.io/managed-by=usher"):
            await _guarded(self.finished_job.close(job))
        await self.users.look()
        await self.reconciler.tick()
        await _guarded(self.status_writer.write_changes())
        await _guarded(self.sender.send_due())

    async def say_present(self) -> None:
        """What `serve` says every two seconds."""
        await _guarded(_record(self.database, "crash", delete_old=True))


async def _guarded(work: Any) -> None:
    """As the handlers do: what cannot be done now is left to the next look."""
    with suppress(Unavailable):
        await work
