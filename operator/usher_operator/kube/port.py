"""What Usher needs of Kubernetes, as a port; objects are the API's own JSON.

Tests use an in-memory implementation. Every method raises KubernetesUnavailable if the API server cannot be reached or
answers with an error that may pass; an object that cannot be read is never evidence.
"""

from typing import Any, Protocol

from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job import CONTAINER

Json = dict[str, Any]

LOG_TAIL_LINES, LOG_TAIL_BYTES = 20, 8_192


class WriteRefused(Exception):
    """Kubernetes refused a write for good; the message says why."""


class CreateRefused(WriteRefused):
    """Kubernetes refused an object for good; the message says why."""


class CreateForbidden(KubernetesUnavailable):
    """Kubernetes forbids to create an object now. Another try may succeed: a Role is being replaced, a quota is full
    for a minute, an admission webhook is being updated."""

    code = "create_forbidden"


class KubePort(Protocol):
    """The API server, as far as Usher uses it. Lists leave out what belongs to another installation."""

    async def create_job(self, namespace: str, job: Json) -> bool:
        """Create a Job. False if one of that name exists. Raises CreateRefused, CreateForbidden."""

    async def get_job(self, namespace: str, name: str) -> Json | None:
        """One Job, or None."""

    async def delete_job(self, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """Delete a Job and, in the background, its pods, which get SIGTERM. True if it existed, with that UID if one is
        given."""

    async def list_jobs(self, namespace: str, *, succeeded: bool = True, request_uid: str | None = None) -> list[Json]:
        """Every Job that Usher created, or those of one BotRequest, without the spec; without `succeeded`, those that
        succeeded are left out."""

    async def list_pods(self, namespace: str, *, job_name: str | None = None, succeeded: bool = True) -> list[Json]:
        """Every pod of Usher's Jobs, or of one of them; without `succeeded`, those that succeeded are left out. The
        spec has `nodeName` only."""

    async def get_request(self, namespace: str, name: str) -> BotRequest | None:
        """One BotRequest, or None."""

    async def list_requests(self, namespace: str, *, ended: bool = True) -> list[BotRequest]:
        """Every BotRequest; without `ended`, those whose status shows the end of the bot are left out, if the API
        server can select them."""

    async def create_request(self, namespace: str, request: Json) -> bool:
        """Create a BotRequest. False if one of that name exists. Raises CreateRefused, CreateForbidden."""

    async def delete_request(self, namespace: str, name: str, *, uid: str | None) -> bool:
        """Delete a BotRequest; with `uid`, that object only, not a later one of the same name. True if it existed."""

    async def patch_request_status(self, namespace: str, name: str, status: Json, *, uid: str) -> bool:
        """Merge `status` into the status of the BotRequest with that UID. False if it is gone, although another one may
        have its name. Raises WriteRefused."""

    async def create_event(self, namespace: str, event: Json) -> None:
        """Create a Kubernetes Event. Best effort: it never raises."""

    async def get_config_map(self, namespace: str, name: str) -> Json | None:
        """One ConfigMap; None if there is none, or if it may not be read."""

    async def patch_config_map(self, namespace: str, name: str, patch: Json) -> bool:
        """Merge `patch` into a ConfigMap. False if it is gone, or has another resourceVersion than `patch` names.
        Raises WriteRefused."""

    async def foreign_objects(self, namespace: str, *, installation: str) -> list[str]:
        """The names of Jobs and BotRequests that carry the id of another installation."""

    async def pod_events(self, namespace: str, pod_name: str) -> list[Json]:
        """The Events about one pod, or about the Job of that name."""

    async def pod_log(
        self,
        namespace: str,
        pod_name: str,
        *,
        container: str = CONTAINER,
        lines: int = LOG_TAIL_LINES,
        limit_bytes: int = LOG_TAIL_BYTES,
        previous: bool = False,
    ) -> str:
        """The last lines that a container logged; of more than `limit_bytes` the newest are cut off. `previous`: those
        of its run before the last restart."""
