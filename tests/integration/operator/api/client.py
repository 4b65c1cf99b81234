"""A client of the public API, and keys for it."""

from dataclasses import dataclass
from typing import Any

from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from tests.scenario import Scenario, User, a_meeting
from usher_models.db import api_tokens

ADMIN_KEY = "the key of the operator"
GATEWAY_SECRET = "the secret of gateways"


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is None without one."""

    code: int
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True)
class Client:
    """Somebody with headers."""

    http: TestClient[Request, Application]
    headers: dict[str, str]

    async def send(self, method: str, path: str, *, headers: dict[str, str] | None = None, **request: Any) -> Answer:
        """One request."""
        async with self.http.request(method, path, headers=self.headers | (headers or {}), **request) as response:
            text = await response.text()
            body = await response.json() if text else None
            return Answer(response.status, body, dict(response.headers))

    async def get(self, path: str, **query: Any) -> Answer:
        return await self.send("GET", path, params=query)

    async def post(self, path: str, **body: Any) -> Answer:
        return await self.send("POST", path, json=body)

    async def ask(self, *, key: str | None = None, **body: Any) -> Answer:
        """Ask for a bot, in a meeting of its own unless `body` names one."""
        meeting = a_meeting()
        named = {"platform": str(meeting.platform), "native_meeting_id": meeting.native_id}
        headers = {"Idempotency-Key": key} if key else {}
        return await self.send("POST", "/bots", json=named | body, headers=headers)


async def key_of(given: Scenario, user: User, **fields: Any) -> str:
    """A new key of that user."""
    async with given.database.transaction() as connection:
        _, secret = await api_tokens.create_token(connection, user.id, **fields)
    return secret
