"""The port's one adapter, on `kubernetes.aio`. Objects stay raw JSON: parsing thousands of models costs seconds.

One client per process, opened and closed with it. The client re-reads a ServiceAccount's token as it rotates.
"""

import logging
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp
import orjson
from kubernetes.aio import client, config
from pydantic import TypeAdapter, ValidationError

from usher_models.errors import KubernetesUnavailable
from usher_models.states import TERMINAL
from usher_operator.kube import list_shapes
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job import CONTAINER, INSTALLATION_LABEL, MANAGED_BY, REQUEST_LABEL
from usher_operator.kube.port import (
    LOG_TAIL_BYTES,
    LOG_TAIL_LINES,
    CreateForbidden,
    CreateRefused,
    Json,
    WriteRefused,
)

logger = logging.getLogger(__name__)

GROUP, VERSION, PLURAL = "usher.dev", "v1alpha1", "botrequests"
REQUEST_TIMEOUT_S = 20
PAGE = 500

# The object that a write returns is not used, so the API server need not serialize all of it. Errors are plain JSON.
_READ = "application/json, */*"
_WRITE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json"

NOT_ENDED = ",".join(f"status.phase!={status}" for status in sorted(TERMINAL))

# Errors that may pass. Everything else that is not a success is a refusal.
_TRANSIENT = frozenset({401, 408, 429, 500, 502, 503, 504})


class _NotUnderstood(KubernetesUnavailable):
    """The API server does not support the query."""

    code = "query_not_supported"


class KubeAdapter:
    """The API server of the cluster this process runs in, or of the current kubeconfig.

    With an `installation`, lists leave out everything that carries another id.
    """

    def __init__(self, api: client.ApiClient, *, installation: str | None = None) -> None:
        self.installation = installation
        self._api = api
        self._selects_phases = True

    @classmethod
    @asynccontextmanager
    async def connect(cls) -> AsyncIterator[Self]:
        """An adapter for as long as the context lasts. Raises KubernetesUnavailable when no cluster is configured."""
        try:
            config.load_incluster_config()  # type: ignore[no-untyped-call]
        except config.ConfigException:
            try:
                await config.load_kube_config()  # type: ignore[no-untyped-call]
            except config.ConfigException as exc:
                raise KubernetesUnavailable(f"No cluster is configured: {exc}") from exc
        configuration = client.Configuration.get_default_copy()
        # The client would look for proxies with every request, in a thread; they do not change.
        configuration.client_session_kwargs = {"trust_env": bool(urllib.request.getproxies())}
        async with client.ApiClient(configuration) as api:
            yield cls(api)

    async def create_job(self, namespace: str, job: Json) -> bool:
        """See KubePort."""
        return await self._create(f"/apis/batch/v1/namespaces/{namespace}/jobs", job)

    async def get_job(self, namespace: str, name: str) -> Json | None:
        """See KubePort."""
        status, job = await self._read(f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}")
        return job if _found(status, job) else None

    async def delete_job(self, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """See KubePort."""
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"
        body = {"preconditions": {"uid": uid}} if uid else None
        status, answer = await self._write("DELETE", path, body=body, query={"propagationPolicy": "Background"})
        return status != 409 and _found(status, answer)

    async def list_jobs(self, namespace: str, *, succeeded: bool = True, request_uid: str | None = None) -> list[Json]:
        """See KubePort."""
        selector = self._selector + (f",{REQUEST_LABEL}={request_uid}" if request_uid else "")
        fields = {} if succeeded else {"fieldSelector": "status.successful=0"}
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        return await self._list(path, list_shapes.WORKLOADS, labelSelector=selector, **fields)

    async def list_pods(self, namespace: str, *, job_name: str | None = None, succeeded: bool = True) -> list[Json]:
        """See KubePort."""
        selector = self._selector + (f",batch.kubernetes.io/job-name={job_name}" if job_name else "")
        fields = {} if succeeded else {"fieldSelector": "status.phase!=Succeeded"}
        path = f"/api/v1/namespaces/{namespace}/pods"
        return await self._list(path, list_shapes.WORKLOADS, labelSelector=selector, **fields)

    async def get_request(self, namespace: str, name: str) -> BotRequest | None:
        """See KubePort."""
        status, body = await self._read(f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}/{name}")
        request = BotRequest.from_object(body) if _found(status, body) else None
        return request if request is not None and request.is_of(self.installation) else None

    async def list_requests(self, namespace: str, *, ended: bool = True) -> list[BotRequest]:
        """See KubePort."""
        if not ended and self._selects_phases:
            try:
                return await self._list_requests(namespace, fieldSelector=NOT_ENDED)
            except _NotUnderstood:
                self._selects_phases = False
                logger.info("The API server cannot select BotRequests; all are listed.", extra={"action": "list_all"})
        return await self._list_requests(namespace)

    async def _list_requests(self, namespace: str, **query: str) -> list[BotRequest]:
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"
        pages = self._pages(path, list_shapes.REQUESTS, **query)
        requests = [request async for page in pages for request in map(BotRequest.from_object, page)]
        return [request for request in requests if request.is_of(self.installation)]

    async def create_request(self, namespace: str, request: Json) -> bool:
        """See KubePort."""
        return await self._create(f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}", request)

    async def delete_request(self, namespace: str, name: str, *, uid: str | None) -> bool:
        """See KubePort."""
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}/{name}"
        body = {"preconditions": {"uid": uid}} if uid else None
        status, answer = await self._write("DELETE", path, body=body)
        return status != 409 and _found(status, answer)

    async def foreign_objects(self, namespace: str, *, installation: str) -> list[str]:
        """See KubePort."""
        selector = f"{MANAGED_BY},{INSTALLATION_LABEL},{INSTALLATION_LABEL}!={installation}"
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        jobs = await self._list(path, list_shapes.WORKLOADS, labelSelector=selector)
        pages = self._pages(f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}", list_shapes.REQUESTS)
        requests = [BotRequest.from_object(body) async for page in pages for body in page]
        foreign = [request.name for request in requests if not request.is_of(installation)]
        return [job["metadata"]["name"] for job in jobs] + foreign

    async def revoke(self, namespace: str, role_binding: str) -> bool:
        """Delete a RoleBinding. True if it existed."""
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/{role_binding}"
        return _found(*await self._write("DELETE", path))

    async def patch_request_status(self, namespace: str, name: str, status: Json, *, uid: str) -> bool:
        """See KubePort."""
        code, answer = await self._write(
            "PATCH",
            f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}/{name}/status",
            body={"metadata": {"uid": uid}, "status": status},
            content_type="application/merge-patch+json",
        )
        if code in (403, 422) and not _is_of_another_object(answer):
            raise WriteRefused(str(answer.get("message", f"the API server answered {code}")))
        return not _is_of_another_object(answer) and _found(code, answer)

    async def get_config_map(self, namespace: str, name: str) -> Json | None:
        """See KubePort."""
        status, body = await self._read(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
        return body if status != 403 and _found(status, body) else None

    async def patch_config_map(self, namespace: str, name: str, patch: Json) -> bool:
        """See KubePort."""
        code, answer = await self._write(
            "PATCH",
            f"/api/v1/namespaces/{namespace}/configmaps/{name}",
            body=patch,
            content_type="application/merge-patch+json",
        )
        if code in (403, 422):
            raise WriteRefused(str(answer.get("message", f"the API server answered {code}")))
        return code != 409 and _found(code, answer)

    async def create_event(self, namespace: str, event: Json) -> None:
        """See KubePort."""
        try:
            status, answer = await self._write("POST", f"/api/v1/namespaces/{namespace}/events", body=event)
        except KubernetesUnavailable as exc:
            status, answer = 503, {"message": str(exc)}
        if status >= 400:
            logger.info("An Event was not posted: %s", answer.get("message"), extra={"action": "event_not_posted"})

    async def pod_events(self, namespace: str, pod_name: str) -> list[Json]:
        """See KubePort."""
        path = f"/api/v1/namespaces/{namespace}/events"
        return await self._list(path, list_shapes.EVENTS, fieldSelector=f"involvedObject.name={pod_name}")

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
        """See KubePort."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod_name}/log"
        query = {"container": container, "tailLines": str(lines), "limitBytes": str(limit_bytes)}
        query |= {"previous": "true"} if previous else {}
        status, raw = await self._send("GET", path, query=query, accept="*/*")
        if status >= 400:
            raise KubernetesUnavailable(f"GET {path}: {_parse(raw).get('message', status)}")
        return raw.decode(errors="replace")

    async def get_raw(self, path: str) -> Json:
        """The JSON document at `path`, such as the cluster's token keys."""
        status, answer = await self._read(path)
        if status >= 400:
            raise KubernetesUnavailable(f"GET {path}: {answer.get('message', status)}")
        return answer

    async def _create(self, path: str, body: Json) -> bool:
        status, answer = await self._write("POST", path, query={"fieldValidation": "Strict"}, body=body)
        message = str(answer.get("message", f"the API server answered {status}"))
        if status == 409 and answer.get("reason") == "Conflict":  # of a quota; one that exists is AlreadyExists
            raise KubernetesUnavailable(message)
        if status == 403:
            raise CreateForbidden(message)
        if status >= 400 and status != 409:
            raise CreateRefused(message)
        return status != 409

    @property
    def _selector(self) -> str:
        return MANAGED_BY + (f",{INSTALLATION_LABEL}={self.installation}" if self.installation else "")

    async def _list(self, path: str, shape: TypeAdapter[Any], **query: str) -> list[Json]:
        return [item async for page in self._pages(path, shape, **query) for item in page]

    async def _pages(self, path: str, shape: TypeAdapter[Any], **query: str) -> AsyncIterator[list[Json]]:
        """The items of a list, a page at a time: a page is freed before the next one is read."""
        more = ""
        while True:
            page = {"limit": str(PAGE)} | ({"continue": more} if more else {}) | query
            status, raw = await self._send("GET", path, query=page, accept=_READ)
            if status >= 400:
                error = _NotUnderstood if status == 400 else KubernetesUnavailable
                raise error(f"GET {path}: {_parse(raw).get('message', status)}")
            answer = _shaped(path, raw, shape)
            yield answer.get("items") or []
            more = answer.get("metadata", {}).get("continue", "")
            if not more:
                return

    async def _read(self, path: str, *, query: dict[str, str] | None = None) -> tuple[int, Json]:
        """The status code, and the object at `path` or the error."""
        status, raw = await self._send("GET", path, query=query, accept=_READ)
        return status, _parse(raw)

    async def _write(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Json]:
        """The status code, and the error if it is one."""
        status, raw = await self._send(method, path, query=query, accept=_WRITE, body=body, content_type=content_type)
        return status, _parse(raw) if status >= 400 else {}

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None,
        accept: str,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, bytes]:
        # Compression costs both sides more CPU time than it saves on the network between them. The body is plain JSON
        # already; the client's own serializer would walk through all of it.
        verb, url, headers, _, fields = await self._api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": accept, "Content-Type": content_type, "Accept-Encoding": "identity"},
            auth_settings=["BearerToken"],
        )
        try:
            answer = await self._api.call_api(
                verb,
                url,
                headers,
                body,
                fields,
                _request_timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
                _preload_content=False,
            )
            async with answer.response as response:
                status, raw, kind = response.status, await response.read(), response.content_type
        except (TimeoutError, aiohttp.ClientError, OSError) as exc:
            raise KubernetesUnavailable(f"{method} {path}: {str(exc) or type(exc).__name__}") from exc
        if status in _TRANSIENT:
            raise KubernetesUnavailable(f"{method} {path}: {status} {_parse(raw).get('message', '')}")
        if not _is_of_kubernetes(status, raw, json=accept == "*/*" or kind.endswith("json")):
            # The page of a proxy that says 404 is no evidence that an object does not exist.
            raise KubernetesUnavailable(f"{method} {path}: {status}, and not from the API server")
        return status, raw


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError:
        return {"message": raw[:500].decode(errors="replace")}
    return parsed if isinstance(parsed, dict) else {}


def _shaped(path: str, raw: bytes, shape: TypeAdapter[Any]) -> Json:
    try:
        return dict(shape.validate_json(raw))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        raise KubernetesUnavailable(f"GET {path}: not a list of Kubernetes: {first['msg']}.") from exc


def _is_of_kubernetes(status: int, raw: bytes, *, json: bool) -> bool:
    """True if the API server itself answered: its errors are objects of the kind Status."""
    return json if status < 400 else _parse(raw).get("kind") == "Status"


def _is_of_another_object(answer: Json) -> bool:
    """True if a write was refused because its UID is not that of the object."""
    return answer.get("reason") in ("Conflict", "Invalid") and "uid" in str(answer.get("message", "")).lower()


def _found(status: int, answer: Json) -> bool:
    if status == 404:
        return False
    if status >= 400:
        raise KubernetesUnavailable(str(answer.get("message", f"the API server answered {status}")))
    return True
