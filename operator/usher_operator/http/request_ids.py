"""An id for each request: the client's own or a new one, in the answer's head and in every log line of the request."""

import logging
import re
import time
from uuid import uuid4

from aiohttp import web

from usher_operator.http.errors import Handler
from usher_operator.telemetry import REQUEST_ID

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
# The same of the newest Vexa, whose gateways pass it on.
TRACE_HEADER = "X-Trace-Id"
_ACCEPTED = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@web.middleware
async def request_ids(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, and log how it was answered."""
    given = request.headers.get(HEADER) or request.headers.get(TRACE_HEADER) or ""
    request_id = given if _ACCEPTED.fullmatch(given) else uuid4().hex
    token, began = REQUEST_ID.set(request_id), time.perf_counter()
    try:
        answer = await handler(request)
        if not answer.prepared:
            answer.headers[HEADER] = request_id
        _log(request, answer.status, seconds=time.perf_counter() - began)
        return answer
    finally:
        REQUEST_ID.reset(token)


def _log(request: web.Request, status: int, *, seconds: float) -> None:
    """One line, with the route and not the path: a path may name a meeting or a person."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    level = logging.WARNING if status >= 500 else logging.INFO if request.method != "GET" else logging.DEBUG
    logger.log(
        level,
        "Answered %s %s with %d.",
        request.method,
        route,
        status,
        extra={"action": "request_answered", "status": status, "ms": round(seconds * 1000, 1)},
    )
