"""`usher operate`: the watch and the reconciler. One replica; a second one would only wait for the sweep lock.

Everything that must outlive kopf is opened before it starts: at its end, kopf cancels every task younger than itself.
"""

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import kopf
from aiohttp import web
from kopf._core.engines.peering import Identity

from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_operator.http.health import Health
from usher_operator.http.server import listening
from usher_operator.kube.adapter import KubeAdapter
from usher_operator.kube.job import JobSettings
from usher_operator.lifecycle.close import Closer
from usher_operator.lifecycle.commands import Commander, RedisPublisher
from usher_operator.lifecycle.ensure import Ensurer
from usher_operator.lifecycle.finished_job import FinishedJob
from usher_operator.reconcile.reconciler import Reconciler
from usher_operator.redis_acl.users import AclUsers, NoUsers, RedisUsers
from usher_operator.settings import Settings
from usher_operator.watch import handlers
from usher_operator.watch.in_flight import InFlight
from usher_operator.watch.processed_generations import ProcessedGenerations
from usher_operator.watch.status_writer import StatusWriter

logger = logging.getLogger(__name__)

# A sweep over a slow API server may last; several intervals without any tick mean that the loop is stuck.
STUCK_AFTER_INTERVALS = 6
STUCK_AFTER_AT_LEAST_S = 180


def job_settings(settings: Settings) -> JobSettings:
    """The part of the settings that shapes Jobs."""
    secret = settings.bot_redis_secret.get_secret_value()
    server = settings.bot_redis_url.get_secret_value() or (settings.redis_url.get_secret_value() if secret else "")
    return JobSettings(
        image=settings.bot_image,
        image_pull_policy=settings.bot_image_pull_policy,
        service_account=settings.bot_service_account,
        callback_url=settings.callback_url,
        redis_url=server,
        redis_secret=secret,
        audience=settings.token_audience,
        default_driver=settings.default_driver,
        priority_class=settings.bot_priority_class,
        heartbeat_interval_s=settings.heartbeat_interval_s,
        reserved_timeout_s=settings.reserved_timeout_s,
        termination_grace_s=settings.termination_grace_s,
        duration_grace_s=settings.duration_grace_s,
    )


def _now() -> datetime:
    return datetime.now(UTC)


async def operate(settings: Settings, *, stop: asyncio.Event | None = None) -> None:
    """Watch and reconcile until `stop`, SIGTERM or SIGINT. Raises KubernetesUnavailable without a cluster."""
    async with AsyncExitStack() as stack:
        database = Database.connect(
            settings.database_url.get_secret_value(),
            pool_size=settings.database_pool_size,
            application_name="usher-operate",
        )
        stack.push_async_callback(database.close)
        publisher = RedisPublisher.connect(settings.redis_url.get_secret_value())
        stack.push_async_callback(publisher.close)
        kube = await stack.enter_async_context(KubeAdapter.connect())
        commander = Commander(database, publisher)
        users = await _redis_users(stack, settings, database=database)
        ensurer = Ensurer(
            database=database,
            kube=kube,
            commander=commander,
            redis_users=users,
            job_settings=job_settings(settings),
            allows_image=settings.allows_image,
            now=_now,
            allowed_private_hosts=settings.allowed_private_meeting_hosts,
        )
        flight = LeaderLock(database, lease_s=settings.leader_lease_s)
        closer = Closer(database=database, kube=kube, fence=flight)
        in_flight = InFlight()
        reconciler = Reconciler(
            settings=settings,
            database=database,
            kube=kube,
            commander=commander,
            ensurer=ensurer,
            closer=closer,
            flight=flight,
            in_flight=in_flight,
        )
        status_writer = StatusWriter(
            database=database,
            kube=kube,
            hold_s=settings.status_write_delay_s,
            now=_now,
            fence=flight,
            crowded=lambda: in_flight.crowded,
        )
        await _serve_health(stack, settings, database=database, publisher=publisher, reconciler=reconciler)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        background = [
            tasks.create_task(reconciler.run(), name="reconciler"),
            tasks.create_task(status_writer.run(settings.status_write_interval_s), name="status-writer"),
        ]
        if isinstance(users, AclUsers):
            background.append(tasks.create_task(users.run(settings.reconcile_interval_s), name="redis-users"))
        logger.info("Watching %s.", ", ".join(settings.namespaces), extra={"action": "operating"})
        try:
            await kopf.operator(
                registry=handlers.registry(
                    ensurer,
                    FinishedJob(database=database, kube=kube, closer=closer),
                    processed=ProcessedGenerations(database),
                    in_flight=in_flight,
                ),
                settings=handlers.configure(kopf.OperatorSettings()),
                namespaces=list(settings.namespaces),
                standalone=True,
                # kopf would ask for the user's name, which an unprivileged uid of a container does not have.
                identity=Identity("usher"),
                stop_flag=stop,
            )
        finally:
            for task in background:
                task.cancel()
    logger.info("Stopped.", extra={"action": "stopped"})


async def _redis_users(stack: AsyncExitStack, settings: Settings, *, database: Database) -> RedisUsers:
    secret = settings.bot_redis_secret.get_secret_value()
    if not secret:
        return NoUsers()
    users = AclUsers.connect(settings.redis_url.get_secret_value(), secret=secret, database=database)
    stack.push_async_callback(users.close)
    return users


async def _serve_health(
    stack: AsyncExitStack,
    settings: Settings,
    *,
    database: Database,
    publisher: RedisPublisher,
    reconciler: Reconciler,
) -> None:
    stuck_after_s = max(STUCK_AFTER_INTERVALS * settings.reconcile_interval_s, STUCK_AFTER_AT_LEAST_S)
    app = web.Application()
    health = Health(
        component="operate",
        database=database,
        publisher=publisher,
        alive=lambda: time.monotonic() - reconciler.ticked_at < stuck_after_s,
    )
    health.add_routes(app)
    await stack.enter_async_context(listening(app, settings.operate_port, settings=settings))
