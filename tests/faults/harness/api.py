"""The API server as a person, a kubelet and a checker speak to it: the administrator's certificate and plain JSON.

One client per run. It never goes through a proxy, so that the harness sees what is true while Usher cannot.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp

from dev.cluster.settings import Settings

Json = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
REQUESTS = "/apis/usher.dev/v1alpha1/namespaces/{}/botrequests"
JOBS = "/apis/batch/v1/namespaces/{}/jobs"
PODS = "/api/v1/namespaces/{}/pods"
PATIENCE_S = 120.0


class Api:
    """Calls the API server; `persist` tries until it answers, as controllers do."""

    def __init__(self, session: aiohttp.ClientSession, *, server: str) -> None:
        self._session = session
        self._server = server

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings) -> AsyncIterator[Self]:
        """The administrator's client of a bare control plane."""
        connector = aiohttp.TCPConnector(ssl=client_context(settings), limit=100)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield cls(session, server=settings.server)

    async def call(
        self, method: str, path: str, body: Json | None = None, *, kind: str = "application/json", **query: str
    ) -> tuple[int, Json]:
        """One request: the status and the object. Raises aiohttp.ClientError or TimeoutError."""
        headers = {"Content-Type": kind, "Accept": "application/json, */*"}
        async with self._session.request(
            method,
            self._server + path,
            data=json.dumps(body) if body is not None else None,
            headers=headers,
            params=query,
            timeout=aiohttp.ClientTimeout(total=30),
        ) as response:
            return response.status, await response.json(content_type=None)

    async def persist(
        self, method: str, path: str, body: Json | None = None, *, kind: str = "application/json", **query: str
    ) -> tuple[int, Json]:
        """The same until the server gives an answer that stands, for two minutes."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                status, answer = await self.call(method, path, body, kind=kind, **query)
                if status < 500 and status != 429:
                    return status, answer
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                if asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(0.5)

    async def items(self, path: str, **query: str) -> list[Json]:
        """Every object of a list."""
        status, answer = await self.persist("GET", path, None, **query)
        assert status == 200, answer
        return list(answer["items"])

    async def make(self, path: str, body: Json) -> Json:
        """Create an object; one that exists is as good."""
        status, answer = await self.persist("POST", path, body)
        assert status in (200, 201, 202, 409), answer
        return answer

    async def watch(self, path: str, **query: str) -> AsyncIterator[Json]:
        """Every object there is, then every change, as events; over and over, whatever breaks."""
        while True:
            try:
                status, listed = await self.persist("GET", path, None, **query)
                for item in listed["items"] if status == 200 else []:
                    yield {"type": "ADDED", "object": item}
                version = listed["metadata"]["resourceVersion"]
                async for event in self._watch_once(path, version, query):
                    yield event
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError):
                await asyncio.sleep(0.5)

    async def _watch_once(self, path: str, version: str, query: dict[str, str]) -> AsyncIterator[Json]:
        params = query | {"watch": "true", "resourceVersion": version, "timeoutSeconds": "600"}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=660)
        async with self._session.get(
            self._server + path, params=params, timeout=timeout, read_bufsize=4 * 1024 * 1024
        ) as response:
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event

    async def prepare_namespace(self, namespace: str) -> None:
        """A namespace in which Usher's bots may be."""
        await self.make("/api/v1/namespaces", {"metadata": {"name": namespace}})
        account = {"metadata": {"name": "usher-bot"}, "automountServiceAccountToken": False}
        await self.make(f"/api/v1/namespaces/{namespace}/serviceaccounts", account)


def client_context(settings: Settings) -> ssl.SSLContext:
    """TLS as the administrator."""
    context = ssl.create_default_context(cafile=str(settings.pki / "ca.crt"))
    context.load_cert_chain(settings.pki / "admin.crt", settings.pki / "admin.key")
    return context
