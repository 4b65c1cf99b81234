"""Asking Kubernetes who terminated a bot that reports SIGTERM: while it reports, its pod is still there to be read."""

import asyncio
import logging

from usher_models.db.bots import BotSummary
from usher_models.errors import KubernetesUnavailable
from usher_models.states import Reason
from usher_operator.kube.evidence import taken_away
from usher_operator.kube.port import KubePort

logger = logging.getLogger(__name__)

# A drain terminates many bots at once, and each of them waits for its answer within its grace.
AT_ONCE = 8
TIMEOUT_S = 3.0


class Termination:
    """Lives as long as the callback server."""

    def __init__(self, kube: KubePort) -> None:
        self._kube = kube
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def reason(self, bot: BotSummary) -> Reason | None:
        """Who terminated the bot; None if Kubernetes cannot be asked in time or does not know. It never raises."""
        try:
            async with asyncio.timeout(TIMEOUT_S), self._slots:
                return await self._ask(bot)
        except (KubernetesUnavailable, TimeoutError) as exc:
            logger.info(
                "It is not known who terminated a bot: %s",
                str(exc) or "no answer in time",
                extra={"action": "termination_unknown", "meeting_id": bot.meeting_id},
            )
            return None

    async def _ask(self, bot: BotSummary) -> Reason | None:
        namespace = bot.request_namespace or ""
        pods = await self._kube.list_pods(namespace, job_name=bot.job_name)
        job = await self._kube.get_job(namespace, bot.job_name)
        pod = next((pod for pod in pods if pod["metadata"].get("uid") == bot.pod_uid), pods[0] if pods else None)
        reason = taken_away(job, pod)
        return Reason.REQUEST_DELETED if reason is Reason.JOB_DELETED and await self._is_request_gone(bot) else reason

    async def _is_request_gone(self, bot: BotSummary) -> bool:
        if not (bot.request_namespace and bot.request_name):
            return False
        request = await self._kube.get_request(bot.request_namespace, bot.request_name)
        return request is None or request.uid != bot.request_uid or request.deleting
