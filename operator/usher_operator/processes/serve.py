"""`usher serve`: callbacks of bots on one port, the public API on another. Stateless; run as many as you like.

On SIGTERM it turns unready, serves on while load balancers still send requests, finishes those in flight, and ends.
"""

import asyncio
import logging
import signal
import socket
from contextlib import AsyncExitStack

from aiohttp import web

from usher_models.db.engine import Database
from usher_operator.api import disabled
from usher_operator.api.app import Api
from usher_operator.api.create_queue import CreateQueue
from usher_operator.api.vexa.announcer import Announcer
from usher_operator.callbacks.pod_token import KeyRing, TokenVerifier
from usher_operator.callbacks.replica_heartbeat import keep_recording
from usher_operator.callbacks.routes import Callbacks
from usher_operator.http.health import Health
from usher_operator.http.server import listening
from usher_operator.kube.adapter import KubeAdapter
from usher_operator.kube.port import KubePort
from usher_operator.lifecycle.commands import Commander, Publisher, RedisPublisher
from usher_operator.lifecycle.create_request import RequestCreator
from usher_operator.lifecycle.termination import Termination
from usher_operator.settings import Settings
from usher_operator.webhooks.worker import sending

logger = logging.getLogger(__name__)

JWKS_PATH = "/openid/v1/jwks"
DISCOVERY_PATH = "/.well-known/openid-configuration"


async def verifier(kube: KubeAdapter, settings: Settings) -> TokenVerifier:
    """A verifier for this cluster's tokens; the issuer is asked from the API server unless it is set."""
    issuer = settings.token_issuer or str((await kube.get_raw(DISCOVERY_PATH))["issuer"])
    keys = KeyRing(lambda: kube.get_raw(JWKS_PATH))
    await keys.refresh()
    return TokenVerifier(
        keys,
        issuer=issuer,
        audience=settings.token_audience,
        namespaces=settings.namespaces,
        service_account=settings.bot_service_account,
    )


async def serve(settings: Settings, *, stop: asyncio.Event | None = None) -> None:
    """Serve until `stop`, SIGTERM or SIGINT. Raises KubernetesUnavailable when the cluster's keys cannot be fetched."""
    stop = stop or stop_on_signals()
    async with AsyncExitStack() as stack:
        database = Database.connect(
            settings.database_url.get_secret_value(),
            pool_size=settings.database_pool_size,
            application_name="usher-serve",
        )
        stack.push_async_callback(database.close)
        publisher = RedisPublisher.connect(settings.redis_url.get_secret_value())
        stack.push_async_callback(publisher.close)
        kube = await stack.enter_async_context(KubeAdapter.connect())
        callbacks = Callbacks(
            database=database,
            verifier=await verifier(kube, settings),
            heartbeat_interval_s=settings.heartbeat_interval_s,
            termination=Termination(kube),
        )
        health = Health(component="serve", database=database, publisher=publisher)
        api = public_api(settings, database=database, publisher=publisher, kube=kube)
        health.add_probes(api)
        metrics = web.Application()
        health.add_metrics(metrics)
        await stack.enter_async_context(sending(database, settings))
        await stack.enter_async_context(listening(callbacks.application(), settings.callback_port, settings=settings))
        await stack.enter_async_context(listening(api, settings.api_port, settings=settings))
        await stack.enter_async_context(listening(metrics, settings.metrics_port, settings=settings))
        heartbeat = asyncio.create_task(keep_recording(database, socket.gethostname()), name="replica-heartbeat")
        stack.callback(heartbeat.cancel)
        logger.info("Serving callbacks on port %d.", settings.callback_port, extra={"action": "serving"})
        await stop.wait()
        health.draining = True
        logger.info("Draining for %g s.", settings.drain_s, extra={"action": "draining"})
        await asyncio.sleep(settings.drain_s)
    logger.info("Stopped.", extra={"action": "stopped"})


def api_of(settings: Settings, *, database: Database, publisher: Publisher, kube: KubePort) -> Api:
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
    )


def _announcer(settings: Settings) -> Announcer | None:
    """Gateways of Vexa read changes of status on Redis; without gateways or without Redis there is none."""
    url = settings.redis_url.get_secret_value()
    return Announcer.connect(url) if url and settings.gateway_secret.get_secret_value() else None


def public_api(settings: Settings, *, database: Database, publisher: Publisher, kube: KubePort) -> web.Application:
    """The application of the public API, or what stands in for it where it is switched off."""
    if not settings.api_enabled:
        return disabled.application()
    return api_of(settings, database=database, publisher=publisher, kube=kube).application()


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
