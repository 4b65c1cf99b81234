"""A bot's mouth: callbacks over real HTTP, with the token of the bot's own pod."""

from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from tests.fakes.tokens import TokenIssuer
from tests.scenario import pod_of
from usher_models.db.bots import Bot

Json = dict[str, Any]
PREFIX = "/bots/internal/callback"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    code: int
    body: Json
    headers: dict[str, str]

    @classmethod
    async def of(cls, response: ClientResponse) -> "Answer":
        return cls(response.status, await response.json(), dict(response.headers))


class Caller:
    """One pod of a bot's Job."""

    def __init__(
        self, client: TestClient[Request, Application], issuer: TokenIssuer, bot: Bot, *, pod_uid: str | None = None
    ) -> None:
        self.client = client
        self.bot = bot
        self.token = issuer.token(
            pod_name=f"{bot.job_name}-abcde",
            pod_uid=pod_uid or bot.pod_uid or pod_of(bot.connection_id),
            namespace=bot.request_namespace or "",
        )

    async def say(self, kind: str, **body: Any) -> Answer:
        """One callback in the name of this bot."""
        return await self.send(kind, json={"connection_id": self.bot.connection_id} | body)

    async def send(self, kind: str, *, method: str = "POST", token: str | None = "", **request: Any) -> Answer:
        """One request as given; `token` replaces the pod's own, None leaves it out."""
        bearer = self.token if token == "" else token
        headers = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
        async with self.client.request(method, f"{PREFIX}/{kind}", headers=headers, **request) as response:
            return await Answer.of(response)
