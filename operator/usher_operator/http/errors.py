"""Errors at the HTTP boundary: each becomes a stable code, a sentence and a status code.

Unexpected errors are logged with their traceback and answered without it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from usher_models.errors import (
    AnotherPodSpeaks,
    CapReached,
    Conflict,
    ConnectionTaken,
    DuplicateMeeting,
    Forbidden,
    IllegalMove,
    InvalidInput,
    InvalidMeeting,
    MeetingOver,
    NotFound,
    NotStorable,
    Unauthorized,
    Unavailable,
    UnknownConnection,
    UnknownUser,
    UsherError,
)
from usher_models.wire import Problem
from usher_operator.http.field_errors import sentence
from usher_operator.http.outage_log import outage_log

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 2

_STATUS: dict[type[UsherError], int] = {
    InvalidMeeting: 422,
    InvalidInput: 422,
    NotStorable: 422,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    UnknownConnection: 404,
    UnknownUser: 404,
    CapReached: 429,
    Conflict: 409,
    ConnectionTaken: 409,
    IllegalMove: 409,
    AnotherPodSpeaks: 409,
    DuplicateMeeting: 409,
    MeetingOver: 410,
    Unavailable: 503,
}

# Not the standard library's phrases, which differ between versions of Python.
_HTTP_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "request_entity_too_large",
    417: "expectation_failed",
    429: "too_many_requests",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BadBody(UsherError):
    """The body is not a JSON object."""

    code = "bad_body"


class InvalidBody(InvalidInput):
    """The body's fields are not valid."""

    code = "invalid_body"


def status_of(error: UsherError) -> int:
    """The HTTP status of an error: that of the nearest class in its tree."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


@web.middleware
async def error_responses(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with a Problem."""
    # aiohttp answers the pipelined requests of a connection one after the other, and a refusal waits for nothing:
    # without this, a flood of them would keep the event loop from all other clients.
    await asyncio.sleep(0)
    try:
        return await handler(request)
    except web.HTTPException as exc:
        if exc.status < 400:
            raise
        code = _HTTP_CODES.get(exc.status, f"http_{exc.status}")
        answer = error_response(exc.status, Problem(code=code, detail=exc.text or exc.reason))
        if "Allow" in exc.headers:
            answer.headers["Allow"] = exc.headers["Allow"]
        return answer
    except BadBody as exc:
        return error_response(400, Problem(code=exc.code, detail=str(exc)))
    except InvalidInput as exc:
        return error_response(422, Problem(code=exc.code, detail=sentence(exc.errors), errors=exc.errors))
    except UsherError as exc:
        return _to_response(exc)
    except Exception:
        logger.exception("A request failed.", extra={"action": "request_failed", "path": request.path})
        return error_response(500, Problem(code="internal", detail="An internal error occurred."))


def _to_response(error: UsherError) -> web.Response:
    status = status_of(error)
    if isinstance(error, Unavailable):
        outage_log.note(error)
    # `terminate` makes a bot exit: its meeting is over, or belongs to another pod.
    terminate = isinstance(error, MeetingOver | AnotherPodSpeaks)
    response = error_response(status, Problem(code=error.code, detail=_detail(error), terminate=terminate))
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _detail(error: UsherError) -> str:
    """What a client is told: of a dependency that is away not its address, which the log has."""
    return error.summary() if isinstance(error, Unavailable) else str(error)


def error_response(status: int, problem: Problem) -> web.Response:
    """A Problem as a response."""
    return web.Response(status=status, text=problem.model_dump_json(), content_type="application/json")
