"""What kopf calls: BotRequests become `ensure`, finished Jobs become evidence.

Low-level events only: they cost no API write and no finalizer. A handler that fails is not retried by kopf; the
reconciler repeats what is missing within one interval, so nothing depends on the watch.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import kopf

from usher_models.errors import Unavailable
from usher_operator.kube.adapter import GROUP, PAGE, PLURAL, VERSION
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job import MANAGED_BY
from usher_operator.lifecycle.ensure import Ensurer
from usher_operator.lifecycle.finished_job import FinishedJob
from usher_operator.watch.in_flight import InFlight
from usher_operator.watch.processed_generations import ProcessedGenerations

logger = logging.getLogger(__name__)

# A handler that hangs would hold up its object for ever.
HANDLER_TIMEOUT_S = 60

PREFIX = "usher.dev"
# For as long as it idles, kopf keeps the object that came last: ten thousand of them when a watch begins anew.
IDLE_S = 0.2


def registry(
    ensurer: Ensurer, finished_job: FinishedJob, *, processed: ProcessedGenerations, in_flight: InFlight
) -> kopf.OperatorRegistry:
    """The handlers, bound to what they work with."""
    handlers = kopf.OperatorRegistry()

    async def guarded(work: Callable[[], Awaitable[None]], fields: dict[str, Any]) -> bool:
        async with in_flight.turns:
            return await _guarded(work, fields)

    @kopf.on.login(registry=handlers)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        # Said explicitly, so that no client library's idea of a login gets in between.
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def request_seen(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        request = BotRequest.from_object(dict(body))
        if event["type"] == "DELETED":
            processed.forget(request)
            await guarded(partial(ensurer.withdraw, request), request.log_fields())
            return
        with in_flight.holding(request):
            known = await processed.knows(request, listed=event["type"] is None)
            if not known and await guarded(partial(ensurer.ensure, request), request.log_fields()):
                processed.note(request)

    @kopf.on.event("batch", "v1", "jobs", labels={"app.kubernetes.io/managed-by": "usher"}, registry=handlers)
    async def job_seen(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        if event["type"] != "DELETED":
            job = dict(body)
            await guarded(partial(finished_job.close, job), {"job": job["metadata"]["name"]})

    return handlers


async def _guarded(work: Callable[[], Awaitable[None]], fields: dict[str, Any]) -> bool:
    """Whether the work came to its end."""
    try:
        async with asyncio.timeout(HANDLER_TIMEOUT_S):
            await work()
        return True
    except (Unavailable, TimeoutError) as exc:
        logger.warning(
            "Left to the next sweep: %s", str(exc) or type(exc).__name__, extra={"action": "left_to_sweep", **fields}
        )
        return False


class NothingToCompare(kopf.DiffBaseStorage):
    """What kopf compares an object with to find out what changed: nothing, since no handler here asks for changes.

    kopf would copy each object of each event, all of it, and that was a fifth of what the operator did.
    """

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        """An object without anything that matters."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Nothing was kept."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is kept."""


def configure(settings: kopf.OperatorSettings) -> kopf.OperatorSettings:
    """kopf's settings: one replica, fixed namespaces, no annotation and no finalizer of anybody else's name."""
    settings.persistence.finalizer = f"{PREFIX}/finalizer"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=PREFIX)
    settings.persistence.diffbase_storage = NothingToCompare()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.watching.server_timeout = 300
    settings.queueing.idle_timeout = IDLE_S
    settings.watching.chunk_size = PAGE  # ten thousand objects at once would be a hundred megabytes
    settings.watching.label_selectors["batch", "v1", "jobs"] = MANAGED_BY  # others' Jobs stay with the API server
    return settings
