"""Creating the BotRequest of a row that the REST API reserved. The creation may be repeated.

The row has the name beforehand. A part of the connection id in the name tells the BotRequest from one that another
database left behind.
"""

import asyncio
from typing import Any

from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.leader_lock import UNFENCED, Fence
from usher_models.errors import KubernetesUnavailable
from usher_models.states import Reason, Source, Status
from usher_operator.kube.adapter import GROUP, VERSION
from usher_operator.kube.job import INSTALLATION_LABEL, MEETING_LABEL
from usher_operator.kube.port import CreateRefused, KubePort
from usher_operator.lifecycle.close import Ends
from usher_operator.lifecycle.installation import Installation

Json = dict[str, Any]

# Requests of clients wait in the same queue; the reconciler tries again.
CREATE_TIMEOUT_S = 3.0


def name_template(connection_id: str) -> str:
    """The name of a reservation's BotRequest; `{id}` stands for the meeting's id."""
    return f"meeting-{{id}}-{connection_id[:8]}"


def build(bot: Bot, *, installation: str) -> Json:
    """The BotRequest of a bot, with the spec that was reserved."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "BotRequest",
        "metadata": {
            "name": bot.request_name,
            "labels": {
                "app.kubernetes.io/managed-by": "usher",
                INSTALLATION_LABEL: installation,
                MEETING_LABEL: str(bot.meeting_id),
            },
        },
        "spec": bot.spec,
    }


class RequestCreator:
    """Creates BotRequests for rows."""

    def __init__(self, *, database: Database, kube: KubePort, fence: Fence = UNFENCED) -> None:
        self._ends = Ends(database, fence=fence)
        self._kube = kube
        self._installation = Installation(database)

    async def prepare(self) -> None:
        """Read beforehand what every BotRequest carries. Raises DatabaseUnavailable: then the first one reads it."""
        await self._installation.id()

    async def request(self, bot: Bot) -> bool:
        """Create the bot's BotRequest, or find that it exists. False if Kubernetes refused it for good: then the row
        has failed. Raises KubernetesUnavailable, DatabaseUnavailable."""
        request = build(bot, installation=await self._installation.id())
        try:
            async with asyncio.timeout(CREATE_TIMEOUT_S):
                await self._kube.create_request(bot.request_namespace or "", request)
        except TimeoutError as exc:
            raise KubernetesUnavailable("The API server did not answer in time.") from exc
        except CreateRefused as exc:
            await self._ends.reservation(
                bot,
                target=Status.FAILED,
                source=Source.API,
                reason=Reason.REQUEST_REFUSED,
                message=f"Kubernetes refused the BotRequest: {exc}",
            )
            return False
        return True
