"""What kopf calls: BotRequests become `ensure`, finished Jobs become evidence.

Low-level events only: they cost no API write and no finalizer. A handler that fails is not retried by kopf; the
reconciler repeats what is missing within one interval, so nothing depends on the watch.
"""

import asyncio
import logging
from typing import Any

import kopf

from usher_models.errors import Unavailable
from usher_operator.ensure import Ensurer
from usher_operator.kube.adapter import GROUP, PLURAL, VERSION
from usher_operator.reconcile.finished_job import FinishedJob
from usher_operator.request import BotRequest

logger = logging.getLogger(__name__)

# A handler that hangs would hold up its object for ever.
HANDLER_TIMEOUT_S = 60

PREFIX = "usher.dev"


def registry(ensurer: Ensurer, finished_job: FinishedJob) -> kopf.OperatorRegistry:
    """The handlers, bound to what they work with."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        # Said explicitly, so that no client library's idea of a login gets in between.
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def request_seen(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        request = BotRequest.from_object(dict(body))
        gone = event["type"] == "DELETED"
        await _guarded(ensurer.withdraw(request) if gone else ensurer.ensure(request), request.log_fields())

    @kopf.on.event("batch", "v1", "jobs", labels={"app.kubernetes.io/managed-by": "usher"}, registry=handlers)
    async def job_seen(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        if event["type"] != "DELETED":
            job = dict(body)
            await _guarded(finished_job.close(job), {"job": job["metadata"]["name"]})

    return handlers


async def _guarded(work: Any, fields: dict[str, Any]) -> None:
    try:
        async with asyncio.timeout(HANDLER_TIMEOUT_S):
            await work
    except (Unavailable, TimeoutError) as exc:
        logger.warning(
            "Left to the next sweep: %s", str(exc) or type(exc).__name__, extra={"action": "left_to_sweep", **fields}
        )


def configure(settings: kopf.OperatorSettings) -> kopf.OperatorSettings:
    """kopf's settings: one replica, fixed namespaces, no annotation and no finalizer of anybody else's name."""
    settings.persistence.finalizer = f"{PREFIX}/finalizer"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=PREFIX)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=PREFIX, key="last-handled")
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.watching.server_timeout = 300
    return settings
