"""`usher serve`: callbacks of bots on one port, the public API on another. Stateless; run as many as you like.

On SIGTERM it turns unready, serves on while load balancers still send requests, finishes those in flight, and ends.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Self

from aiohttp import web

from usher_models.db.engine import Database
from usher_models.db.known_ids import KnownIds
from usher_operator.api import disabled
from usher_operator.api.app import Api
from usher_operator.api.create_queue import CreateQueue
from usher_operator.api.vexa.announcer import Announcer
from usher_operator.callbacks.cluster_keys import KeyRing
from usher_operator.callbacks.pod_token import TokenVerifier
from usher_operator.callbacks.replica_heartbeat import keep_recording
from usher_operator.callbacks.routes import Callbacks
from usher_operator.http.health import Health
from usher_operator.http.server import listening
from usher_operator.kube.adapter import KubeAdapter
from usher_operator.kube.port import KubePort
from usher_operator.lifecycle.commands import Commander, Publisher, RedisPublisher
from usher_operator.lifecycle.create_request import RequestCreator
from usher_operator.lifecycle.termination import Termination
from usher_operator.processes.database import ServePools, open_database
from usher_operator.settings import Settings
from usher_operator.webhooks.worker import sending

logger = logging.getLogger(__name__)

JWKS_PATH = "/openid/v1/jwks"
DISCOVERY_PATH = "/.well-known/openid-configuration"
NO_KEYS = "cluster_keys_not_fetched"


@dataclass(frozen=True, kw_only=True)
class Pools:
    """Connections to the database for different work, so that none of it can take those of the others."""

    requests: Database
    callbacks: Database
    heartbeats: Database

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings) -> AsyncIterator[Self]:
        """The pools of these settings."""
        async with AsyncExitStack() as stack:
            pools = {}
            for name, size in asdict(ServePools.of(settings.database_pool_size)).items():
                pools[name] = open_database(settings, name=f"usher-serve-{name}", pool_size=size)
                stack.push_async_callback(pools[name].close)
            yield cls(**pools)


def cluster_keys(kube: KubeAdapter, settings: Settings) -> KeyRing:
    """The keys of this cluster's tokens, and its issuer unless the settings name issuers."""

    async def issuer() -> str:
        return str((await kube.get_raw(DISCOVERY_PATH))["issuer"])

    return KeyRing(lambda: kube.get_raw(JWKS_PATH), fetch_issuer=None if settings.token_issuers else issuer)


def verifier(keys: KeyRing, settings: Settings) -> TokenVerifier:
    """A verifier for this cluster's tokens."""
    return TokenVerifier(
        keys,
        issuers=settings.token_issuers,
        audience=settings.token_audience,
        namespaces=settings.namespaces,
        service_account=settings.bot_service_account,
    )


async def serve(settings: Settings, *, stop: asyncio.Event | None = None) -> None:
    """Serve until `stop`, SIGTERM or SIGINT. While the API server is away at the start, this process is not ready."""
    stop = stop or stop_on_signals()
    async with AsyncExitStack() as stack:
        pools = await stack.enter_async_context(Pools.opened(settings))
        database = pools.requests
        publisher = RedisPublisher.connect(settings.redis_url.get_secret_value())
        stack.push_async_callback(publisher.close)
        kube = await stack.enter_async_context(KubeAdapter.connect())
        keys = cluster_keys(kube, settings)
        # What bots report counts as well: another replica may have reserved for them.
        known_ids = KnownIds()
        callbacks = Callbacks(
            database=pools.callbacks,
            heartbeat_database=pools.heartbeats,
            verifier=verifier(keys, settings),
            heartbeat_interval_s=settings.heartbeat_interval_s,
            termination=Termination(kube),
            known_ids=known_ids,
        )
        health = Health(
            component="serve",
            database=pools.callbacks,
            publisher=publisher,
            waits_for=lambda: None if keys.fetched else NO_KEYS,
        )
        api = public_api(settings, database=database, publisher=publisher, kube=kube, known_ids=known_ids)
        health.add_probes(api)
        metrics = web.Application()
        health.add_metrics(metrics)
        await stack.enter_async_context(sending(database, settings))
        await stack.enter_async_context(listening(callbacks.application(), settings.callback_port, settings=settings))
        await stack.enter_async_context(listening(api, settings.api_port, settings=settings))
        await stack.enter_async_context(listening(metrics, settings.metrics_port, settings=settings))
        for work, name in (
            (keep_recording(pools.heartbeats, socket.gethostname()), "replica-heartbeat"),
            (keys.keep_fresh(), "cluster-keys"),
        ):
            stack.callback(asyncio.create_task(work, name=name).cancel)
        logger.info("Serving callbacks on port %d.", settings.callback_port, extra={"action": "serving"})
        await stop.wait()
        health.draining = True
        logger.info("Draining for %g s.", settings.drain_s, extra={"action": "draining"})
        await asyncio.sleep(settings.drain_s)
    logger.info("Stopped.", extra={"action": "stopped"})


def api_of(
    settings: Settings,
    *,
    database: Database,
    publisher: Publisher,
    kube: KubePort,
    known_ids: KnownIds | None = None,
) -> Api:
    """The public API of these settings."""
    return Api(
        database=database,
        commander=Commander(database, publisher),
        requests=CreateQueue(RequestCreator(database=database, kube=kube)),
        namespace=settings.namespaces[0],
        admin_key=settings.admin_api_key,
        gateway_secret=settings.gateway_secret,
        legacy_statuses=settings.legacy_statuses,
        media_upstream=settings.media_upstream,
        announcer=_announcer(settings),
        allowed_private_hosts=settings.allowed_private_meeting_hosts,
        default_driver=settings.default_driver,
        known_ids=known_ids or KnownIds(),
    )


def _announcer(settings: Settings) -> Announcer | None:
    """Gateways of Vexa read changes of status on Redis; without gateways or without Redis there is none."""
    url = settings.redis_url.get_secret_value()
    return Announcer.connect(url) if url and settings.gateway_secret.get_secret_value() else None


def public_api(
    settings: Settings,
    *,
    database: Database,
    publisher: Publisher,
    kube: KubePort,
    known_ids: KnownIds | None = None,
) -> web.Application:
    """The application of the public API, or what stands in for it where it is switched off."""
    if not settings.api_enabled:
        return disabled.application()
    api = api_of(settings, database=database, publisher=publisher, kube=kube, known_ids=known_ids)
    return api.application()


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
