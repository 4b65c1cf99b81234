"""The handlers that kopf calls: a BotRequest is ensured, a finished Job closes its meeting.

Low-level events only: they cost no API write and no finalizer. kopf does not retry a handler that fails; the reconciler
repeats what is missing within one interval, so nothing depends on the watch.

A process that stands by keeps its watches open and leaves what they show to the leader. The leader may be gone, which
shows only when its lease is over: an event is held for so long, and handled if this process begins to lead meanwhile.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain, repeat
from typing import Any

import kopf

from usher_models.db.leader_lock import LeaderLock
from usher_models.errors import Unavailable
from usher_operator.kube.adapter import GROUP, PAGE, PLURAL, VERSION
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job import INSTALLATION_LABEL, MANAGED_BY
from usher_operator.kube.job_status import finished
from usher_operator.lifecycle.ensure import Ensurer
from usher_operator.lifecycle.finished_job import FinishedJob
from usher_operator.watch.in_flight import InFlight
from usher_operator.watch.processed_generations import ProcessedGenerations

logger = logging.getLogger(__name__)

# A handler that hangs would block its object for ever.
HANDLER_TIMEOUT_S = 60

PREFIX = "usher.dev"
# While an object's worker idles, kopf keeps its last event: ten thousand of them when a watch starts anew.
IDLE_S = 0.2
FIRST_BACKOFFS_S = (1, 1, 2, 4, 8, 15)
LONGEST_BACKOFF_S = 30
# Beyond the lease: what the server takes to end a session, and a standby to ask for the lead.
UNNOTICED_S = 2.0


def registry(
    ensurer: Ensurer,
    finished_job: FinishedJob,
    *,
    processed: ProcessedGenerations,
    in_flight: InFlight,
    installation: str,
    lock: LeaderLock,
) -> kopf.OperatorRegistry:
    """The handlers, bound to their collaborators. What belongs to another installation is ignored, and so is what
    another process handles, which leads."""
    handlers = kopf.OperatorRegistry()

    async def guarded(work: Callable[[], Awaitable[None]], fields: dict[str, Any]) -> bool:
        async with in_flight.slots:
            return await _guarded(work, fields)

    @kopf.on.login(registry=handlers)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        # Explicit, so that kopf does not try the logins of other client libraries.
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def request_seen(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        request = BotRequest.from_object(dict(body))
        if not request.is_of(installation):
            logger.debug("Ignored a BotRequest of another installation.", extra=request.log_fields())
            return
        held = not lock.leads
        if held:
            ensurer.leave_to_leader(request)
            if not await _leads_in_time(lock, event):
                return
        if event["type"] == "DELETED":
            processed.discard(request)
            await guarded(partial(ensurer.withdraw, request), request.log_fields())
            return
        with in_flight.tracking(request):
            # The leader before may have handled it.
            done = await processed.contains(request, listed=held or event["type"] is None)
            if not done and await guarded(partial(ensurer.ensure, request), request.log_fields()):
                processed.add(request)

    @kopf.on.event("batch", "v1", "jobs", labels=_job_labels(installation), registry=handlers)
    async def job_seen(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        job = dict(body)
        if event["type"] != "DELETED" and finished(job) and await _leads_in_time(lock, event):
            await guarded(partial(finished_job.close, job), {"job": job["metadata"]["name"]})

    return handlers


async def _leads_in_time(lock: LeaderLock, event: kopf.RawEvent) -> bool:
    """True if this process leads, or begins to while the event may have been lost on a leader that is gone.

    What a list shows is old, and the sweep with which a process begins to lead looks at all of it.
    """
    if not lock.leads and event["type"] is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(lock.lease_s + UNNOTICED_S):
                await lock.gained.wait()
    return lock.leads


def _job_labels(installation: str) -> dict[str, str]:
    return {"app.kubernetes.io/managed-by": "usher", INSTALLATION_LABEL: installation}


async def _guarded(work: Callable[[], Awaitable[None]], fields: dict[str, Any]) -> bool:
    """True if the work was completed."""
    try:
        async with asyncio.timeout(HANDLER_TIMEOUT_S):
            await work()
        return True
    except (Unavailable, TimeoutError) as exc:
        logger.warning(
            "The next sweep repeats this: %s",
            str(exc) or type(exc).__name__,
            extra={"action": "left_to_sweep", **fields},
        )
        return False


class NothingToCompare(kopf.DiffBaseStorage):
    """Keeps nothing to compare an object with, because no handler here asks for changes.

    By default kopf copies the whole object of each event, which was a fifth of the operator's CPU time.
    """

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        """An empty essence."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """None: nothing is stored."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Stores nothing."""


class Backoffs:
    """Pauses between the attempts of a request, in seconds, without an end.

    By default kopf ends its operator after nine attempts: a minute of errors from the API server, or one namespace
    whose Role is gone, would stop the watch of every namespace.
    """

    def __iter__(self) -> Iterator[float]:
        return chain(FIRST_BACKOFFS_S, repeat(LONGEST_BACKOFF_S))


def configure(settings: kopf.OperatorSettings, *, installation: str) -> kopf.OperatorSettings:
    """kopf's settings: one replica, fixed namespaces, annotations and finalizers under Usher's own prefix."""
    settings.persistence.finalizer = f"{PREFIX}/finalizer"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=PREFIX)
    settings.persistence.diffbase_storage = NothingToCompare()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = Backoffs()
    # kopf would kill the process ten minutes after one of several operators ended.
    settings.process.ultimate_exiting_timeout = None
    settings.watching.server_timeout = 300
    settings.watching.reconnect_backoff = 1
    settings.queueing.idle_timeout = IDLE_S
    settings.watching.chunk_size = PAGE  # ten thousand objects in one answer take a hundred megabytes
    # Jobs of others are not sent.
    settings.watching.label_selectors["batch", "v1", "jobs"] = f"{MANAGED_BY},{INSTALLATION_LABEL}={installation}"
    return settings
