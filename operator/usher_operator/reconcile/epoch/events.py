"""Events on the BotRequests of adopted bots: on a few, because each is an API write and a failover concerns many."""

from collections.abc import Sequence
from datetime import UTC, datetime

from usher_models.states import Reason, sentence
from usher_operator.kube.api_budget import ApiBudget
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.botrequest_status import camel
from usher_operator.kube.events import event
from usher_operator.kube.port import KubePort

EVENTS_AT_MOST = 10


class AdoptionEvents:
    """Posts them."""

    def __init__(self, kube: KubePort) -> None:
        self._kube = kube

    async def post(self, requests: Sequence[BotRequest], api: ApiBudget) -> None:
        """Say of the first few that their rows were put back. It never raises."""
        await api.gather(*(self._post(request, api) for request in requests[:EVENTS_AT_MOST]))

    async def _post(self, request: BotRequest, api: ApiBudget) -> None:
        body = event(
            namespace=request.namespace,
            name=request.name,
            uid=request.uid,
            kind="Warning",
            reason=camel(Reason.ADOPTED),
            message=sentence(Reason.ADOPTED),
            now=datetime.now(UTC),
        )
        await api.call(request.namespace, lambda: self._kube.create_event(request.namespace, body))
