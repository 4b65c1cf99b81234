"""A small API server over HTTP, for what only happens between real clients and a server that misbehaves.

    server = FakeApiServer()
    async with server.running() as url:
        server.errors["team-b"] = 403           every request for that namespace is refused
        server.errors[None] = 500               every request is
        server.put(a_botrequest(...))           listed, and sent to the watches
        server.kubeconfig(path, url)

Discovery, lists and watches of BotRequests and Jobs; nothing can be written but status patches, which are on record.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

Json = dict[str, Any]

RESOURCES: dict[tuple[str, str], Json] = {
    ("usher.dev", "v1alpha1"): {"name": "botrequests", "singularName": "botrequest", "kind": "BotRequest"},
    ("batch", "v1"): {"name": "jobs", "singularName": "job", "kind": "Job"},
}
VERBS = ["create", "delete", "get", "list", "patch", "watch"]


class FakeApiServer:
    """Keeps objects by (plural, namespace, name)."""

    def __init__(self) -> None:
        self.errors: dict[str | None, int] = {}
        self.served = set(RESOURCES)
        self.objects: dict[tuple[str, str, str], Json] = {}
        self.requests: list[tuple[str, str]] = []
        self.patched: list[str] = []
        self._version = 1
        self._watches: dict[tuple[str, str], list[web.StreamResponse]] = defaultdict(list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Serve; the URL."""
        app = web.Application(middlewares=[self._failing])
        app.router.add_get("/api", self._core)
        app.router.add_get("/api/v1", self._core)
        app.router.add_get("/apis", self._groups)
        app.router.add_get("/apis/{group}/{version}", self._resources)
        app.router.add_get("/api/v1/namespaces/{namespace}/{plural}", self._list)
        path = "/apis/{group}/{version}/namespaces/{namespace}/{plural}"
        app.router.add_get(path, self._list)
        app.router.add_get(path + "/{name}", self._get)
        app.router.add_patch(path + "/{name}/status", self._patch)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await self.drop_watches()
            await runner.cleanup()

    def kubeconfig(self, path: Path, url: str) -> Path:
        """Write a kubeconfig for this server."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "clusters": [{"name": "fake", "cluster": {"server": url}}],
            "users": [{"name": "fake", "user": {"token": "fake"}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    async def put(self, body: Json, *, plural: str = "botrequests") -> None:
        """Create or change an object, and send it to the watches."""
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        kind = "MODIFIED" if (plural, namespace, name) in self.objects else "ADDED"
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self.objects[plural, namespace, name] = body
        await self._send(plural, namespace, {"type": kind, "object": body})

    async def drop_watches(self, namespace: str | None = None, *, error: Json | None = None) -> None:
        """End the watches, those of one namespace or all; with `error`, by an error event."""
        for (plural, inside), streams in list(self._watches.items()):
            if namespace in (None, inside):
                if error is not None:
                    await self._send(plural, inside, {"type": "ERROR", "object": error})
                for stream in list(streams):
                    stream.force_close()
                    if stream._req is not None and stream._req.transport is not None:
                        stream._req.transport.close()
                streams.clear()

    async def _send(self, plural: str, namespace: str, event: Json) -> None:
        for stream in list(self._watches[plural, namespace]):
            with suppress(ConnectionError):
                await stream.write(json.dumps(event).encode() + b"\n")

    @web.middleware
    async def _failing(self, request: web.Request, handler: Any) -> web.StreamResponse:
        namespace = request.match_info.get("namespace")
        self.requests.append((request.method, request.path))
        status = self.errors.get(namespace, self.errors.get(None))
        if status is None:
            response: web.StreamResponse = await handler(request)
            return response
        message = {"kind": "Status", "status": "Failure", "code": status, "message": f"fake error {status}"}
        return web.json_response(message, status=status)

    async def _core(self, _: web.Request) -> web.Response:
        namespaces = {"name": "namespaces", "singularName": "namespace", "kind": "Namespace", "namespaced": False}
        return web.json_response({"versions": ["v1"], "resources": [namespaces | {"verbs": VERBS}]})

    async def _groups(self, _: web.Request) -> web.Response:
        groups = [
            {"name": group, "versions": [{"version": version}], "preferredVersion": {"version": version}}
            for group, version in self.served
        ]
        return web.json_response({"groups": groups})

    async def _resources(self, request: web.Request) -> web.Response:
        key = (request.match_info["group"], request.match_info["version"])
        return web.json_response({"resources": [RESOURCES[key] | {"namespaced": True, "verbs": VERBS}]})

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            return await self._watch(request)
        wanted = (request.match_info["plural"], request.match_info["namespace"])
        items = [body for (*key, _), body in self.objects.items() if tuple(key) == wanted]
        return web.json_response({"metadata": {"resourceVersion": str(self._version)}, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        """Send what is newer than the given version, then what comes."""
        key, since = (request.match_info["plural"], request.match_info["namespace"]), request.query["resourceVersion"]
        stream = web.StreamResponse()
        await stream.prepare(request)
        self._watches[key].append(stream)
        for (*inside, _), body in self.objects.items():
            if tuple(inside) == key and int(body["metadata"]["resourceVersion"]) > int(since):
                await stream.write(json.dumps({"type": "ADDED", "object": body}).encode() + b"\n")
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return stream

    async def _get(self, request: web.Request) -> web.Response:
        info = request.match_info
        body = self.objects.get((info["plural"], info["namespace"], info["name"]))
        return web.json_response(body or {"kind": "Status", "message": "not found"}, status=200 if body else 404)

    async def _patch(self, request: web.Request) -> web.Response:
        self.patched.append(request.match_info["name"])
        return web.json_response({})
