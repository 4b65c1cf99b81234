"""`usher operate`: the watches and the reconciler. One process of several leads and acts; the others stand by.

A standby has all that a leader has: connections, watches, loops. It asks for the lead about twice a second.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from usher_models.db.engine import Database
from usher_models.db.leader_lock import Fence, LeaderLock
from usher_models.errors import DatabaseUnavailable, KubernetesUnavailable, Unavailable
from usher_operator.http.health import Health
from usher_operator.http.server import listening
from usher_operator.kube.adapter import KubeAdapter
from usher_operator.kube.drivers import DriverSettings
from usher_operator.kube.job import JobSettings
from usher_operator.kube.port import KubePort
from usher_operator.lifecycle.allowed_spec import AllowedSpec
from usher_operator.lifecycle.close import Closer, Ends
from usher_operator.lifecycle.commands import Commander, RedisPublisher
from usher_operator.lifecycle.create_request import RequestCreator
from usher_operator.lifecycle.delete_objects import ObjectDeleter
from usher_operator.lifecycle.ensure import Ensurer
from usher_operator.lifecycle.evidence.collector import EvidenceCollector, NoEvidence
from usher_operator.lifecycle.finished_job import FinishedJob
from usher_operator.lifecycle.hold import HeldFence, Hold
from usher_operator.lifecycle.installation import check_namespace
from usher_operator.processes.database import OperatePools, open_database
from usher_operator.processes.signals import set_on_signals
from usher_operator.reconcile.epoch.events import AdoptionEvents
from usher_operator.reconcile.epoch.guard import EpochGuard
from usher_operator.reconcile.epoch.installation import settle_installation
from usher_operator.reconcile.epoch.store import EpochStore
from usher_operator.reconcile.reconciler import Reconciler
from usher_operator.reconcile.retention import Retention
from usher_operator.reconcile.sweep import Acts, Memory
from usher_operator.redis_acl.users import AclUsers, NoUsers, RedisUsers
from usher_operator.settings import Settings
from usher_operator.watch import handlers
from usher_operator.watch.in_flight import InFlight
from usher_operator.watch.processed_generations import ProcessedGenerations
from usher_operator.watch.status_writer import StatusWriter
from usher_operator.watch.supervisor import Supervisor

logger = logging.getLogger(__name__)

# A sweep over a slow API server may last; several intervals without any tick mean that the loop is stuck.
STUCK_AFTER_INTERVALS = 6
STUCK_AFTER_AT_LEAST_S = 180
RETRY_S = 2.0
# A pod that is going takes its log along.
EVIDENCE_INTERVAL_S = 1.0
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def job_settings(settings: Settings, *, installation: str) -> JobSettings:
    """The part of the settings that shapes Jobs."""
    secret = settings.bot_redis_secret.get_secret_value()
    server = settings.bot_redis_url.get_secret_value() or (settings.redis_url.get_secret_value() if secret else "")
    return JobSettings(
        installation=installation,
        image_pull_policy=settings.bot_image_pull_policy,
        service_account=settings.bot_service_account,
        callback_url=settings.callback_url,
        redis_url=server,
        redis_secret=secret,
        audience=settings.token_audience,
        drivers=DriverSettings(
            default=settings.default_driver,
            image=settings.bot_image,
            default_command=settings.default_command,
            browser_image=settings.browser_image,
            browser_options=settings.browser_options,
            browser_resources=settings.browser_resources,
            browser_seccomp_profile=settings.browser_seccomp_profile,
            exec_options=settings.bot_class.exec.options(),
        ),
        bot_class=settings.bot_class,
        meeting_token_secret=settings.meeting_token_secret.get_secret_value(),
        meeting_token_issuer=settings.meeting_token_issuer,
        priority_class=settings.bot_priority_class,
        heartbeat_interval_s=settings.heartbeat_interval_s,
        reserved_timeout_s=settings.reserved_timeout_s,
        termination_grace_s=settings.termination_grace_s,
        duration_grace_s=settings.duration_grace_s,
    )


def _now() -> datetime:
    return datetime.now(UTC)


async def operate(settings: Settings, *, stop: asyncio.Event | None = None) -> None:
    """Watch and reconcile until `stop`, SIGTERM or SIGINT. Raises KubernetesUnavailable without a cluster, and
    ForeignNamespace in a namespace of another installation."""
    stop = stop or asyncio.Event()
    set_on_signals(stop)
    async with AsyncExitStack() as stack:
        pools = OperatePools.of(settings.database_pool_size)
        database = open_database(settings, name="usher-operate", pool_size=pools.watch)
        stack.push_async_callback(database.close)
        # A user whose rows are locked may hold up the watch, and never the reconciler.
        reserved = open_database(settings, name="usher-reconcile", pool_size=pools.reconciler)
        stack.push_async_callback(reserved.close)
        publisher = RedisPublisher.connect(settings.redis_url.get_secret_value())
        stack.push_async_callback(publisher.close)
        kube = await stack.enter_async_context(KubeAdapter.connect())
        lock = LeaderLock(reserved, lease_s=settings.leader_lease_s)
        reconcilers: list[Reconciler] = []
        await _serve_health(stack, settings, database=database, publisher=publisher, lock=lock, reconcilers=reconcilers)
        store = EpochStore(kube=kube, namespace=own_namespace(settings), name=settings.epoch_config_map)
        installation = await wait_for_installation(database, stop, store)
        if installation is None:
            return
        kube.installation = installation
        await check_namespaces(kube, settings.namespaces, installation=installation)
        commander = Commander(database, publisher)
        users = await _redis_users(stack, settings, database=database, fence=lock)
        hold = Hold()
        ensurer = Ensurer(
            database=database,
            kube=kube,
            commander=commander,
            redis_users=users,
            job_settings=job_settings(settings, installation=installation),
            allowed=AllowedSpec(settings),
            hold=hold,
            now=_now,
            fence=lock,
        )
        unless_held = HeldFence(lock, hold)
        collector = EvidenceCollector(
            database=reserved, kube=kube, fence=unless_held, settings=settings, now=_now, clock=time.monotonic
        )
        evidence = collector if settings.evidence_enabled else NoEvidence()
        closer = Closer(ends=Ends(reserved, fence=lock), kube=kube, evidence=evidence)
        in_flight = InFlight()
        reconciler = Reconciler(
            settings=settings,
            database=reserved,
            kube=kube,
            acts=Acts(
                commander=commander,
                ensurer=ensurer,
                closer=closer,
                request_creator=RequestCreator(database=database, kube=kube, fence=lock),
            ),
            memory=Memory.empty(settings=settings, kube=kube, clock=time.monotonic),
            epoch=EpochGuard(
                settings=settings,
                database=reserved,
                store=store,
                hold=hold,
                events=AdoptionEvents(kube),
                installation=installation,
                clock=time.monotonic,
            ),
            lock=lock,
            in_flight=in_flight,
            installation=installation,
            clock=time.monotonic,
        )
        reconcilers.append(reconciler)
        status_writer = StatusWriter(
            database=reserved,
            kube=kube,
            delay_s=settings.status_write_delay_s,
            installation=installation,
            now=_now,
            fence=lock,
            has_backlog=lambda: in_flight.has_backlog,
        )
        deleter = ObjectDeleter(database=database, kube=kube, fence=unless_held)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        background: list[asyncio.Task[Any]] = [
            tasks.create_task(reconciler.run(), name="reconciler"),
            tasks.create_task(status_writer.run(settings.status_write_interval_s), name="status-writer"),
            tasks.create_task(deleter.run(settings.reconcile_interval_s), name="object-deleter"),
        ]
        if settings.evidence_enabled:
            background.append(tasks.create_task(collector.run(EVIDENCE_INTERVAL_S), name="evidence"))
        retention = Retention(
            ends=Ends(reserved, fence=unless_held),
            history_days=settings.history_days,
            evidence_days=settings.evidence_days,
        )
        background.append(tasks.create_task(retention.run(), name="retention"))
        if isinstance(users, AclUsers):
            background.append(tasks.create_task(users.run(settings.reconcile_interval_s), name="redis-users"))
        logger.info("Watching %s.", ", ".join(settings.namespaces), extra={"action": "operating"})
        registry = handlers.registry(
            ensurer,
            FinishedJob(database=database, kube=kube, closer=closer),
            processed=ProcessedGenerations(database),
            in_flight=in_flight,
            installation=installation,
            lock=lock,
        )
        supervisor = Supervisor(registry, installation=installation, kube=kube, on_started=lambda: set_on_signals(stop))
        background += [
            tasks.create_task(supervisor.run(namespace), name=f"watch-{namespace}") for namespace in settings.namespaces
        ]
        try:
            await stop.wait()
        finally:
            # First of all, so that the standby leads while the sweep and the watches are still closing.
            await lock.close()
            for task in background:
                task.cancel()
    logger.info("Stopped.", extra={"action": "stopped"})


def own_namespace(settings: Settings) -> str:
    """The namespace that this process runs in; empty outside of a cluster, unless the settings name one."""
    if settings.epoch_namespace:
        return settings.epoch_namespace
    return NAMESPACE_FILE.read_text().strip() if NAMESPACE_FILE.exists() else ""


async def wait_for_installation(database: Database, stop: asyncio.Event, store: EpochStore) -> str | None:
    """The installation's id, as soon as it can be known; None if `stop` is set before."""
    while not stop.is_set():
        try:
            return await settle_installation(database, store)
        except (DatabaseUnavailable, KubernetesUnavailable) as exc:
            what, action = _waits_for(exc)
            logger.warning("Waiting for the %s: %s", what, exc, extra={"action": action})
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_S)
    return None


def _waits_for(error: Unavailable) -> tuple[str, str]:
    """What a start waits for, in words and as the action of the log."""
    if isinstance(error, DatabaseUnavailable):
        return "database", "waiting_for_database"
    return "API server", "waiting_for_api_server"


async def check_namespaces(kube: KubePort, namespaces: Sequence[str], *, installation: str) -> None:
    """Raises ForeignNamespace. What cannot be read now is checked again before its watch starts."""
    for namespace in namespaces:
        with suppress(KubernetesUnavailable):
            await check_namespace(kube, namespace, installation=installation)


async def _redis_users(stack: AsyncExitStack, settings: Settings, *, database: Database, fence: Fence) -> RedisUsers:
    secret = settings.bot_redis_secret.get_secret_value()
    if not secret:
        return NoUsers()
    users = AclUsers.connect(
        settings.redis_url.get_secret_value(),
        secret=secret,
        database=database,
        transcripts=settings.bot_redis_transcripts,
        fence=fence,
    )
    stack.push_async_callback(users.close)
    return users


async def _serve_health(
    stack: AsyncExitStack,
    settings: Settings,
    *,
    database: Database,
    publisher: RedisPublisher,
    lock: LeaderLock,
    reconcilers: Sequence[Reconciler],
) -> None:
    stuck_after_s = max(STUCK_AFTER_INTERVALS * settings.reconcile_interval_s, STUCK_AFTER_AT_LEAST_S)
    app = web.Application()
    health = Health(
        component="operate",
        database=database,
        publisher=publisher,
        # None while the database is away at the start.
        waits_for=lambda: None if reconcilers else "starting",
        stands_by=lambda: not lock.leads,
        alive=lambda: all(time.monotonic() - one.ticked_at < stuck_after_s for one in reconcilers),
    )
    health.add_routes(app)
    await stack.enter_async_context(listening(app, settings.operate_port, settings=settings))
