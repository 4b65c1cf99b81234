"""Error answers of the public API: those of every Usher server, with the fields that Vexa's clients read."""

import json
from typing import Any

from aiohttp import web

from usher_models.errors import CapReached, DuplicateMeeting, InvalidMeeting, UsherError
from usher_models.wire import Problem
from usher_operator.http.errors import Handler, error_response, error_responses, status_of

# It is not known when a slot becomes free; a bot that is asked to leave takes about this long.
RETRY_AFTER_S = 30

_FIELDS = {
    "nativeMeetingId": "native_meeting_id",
    "meetingUrl": "meeting_url",
}


@web.middleware
async def api_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer the errors of the API; leave the rest to `error_responses`."""

    async def answer(inner: web.Request) -> web.StreamResponse:
        try:
            return await handler(inner)
        except (CapReached, DuplicateMeeting, InvalidMeeting) as exc:
            return _to_response(exc)

    return _without_terminate(await error_responses(request, answer))


def _without_terminate(answer: web.StreamResponse) -> web.StreamResponse:
    """The answer without `terminate`, which is for bots."""
    if isinstance(answer, web.Response) and answer.status >= 400 and answer.content_type == "application/json":
        body = json.loads(answer.text or "{}")
        body.pop("terminate", None)
        answer.text = json.dumps(body)
    return answer


def _to_response(error: UsherError) -> web.Response:
    response = error_response(status_of(error), Problem(code=error.code, detail=_detail(error), **_more(error)))
    if isinstance(error, CapReached):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _detail(error: UsherError) -> str:
    if isinstance(error, CapReached):
        return f"Maximum concurrent bots limit reached ({error.limit})"
    return _renamed(str(error)) if isinstance(error, InvalidMeeting) else str(error)


def _renamed(message: str) -> str:
    """The message with the API's names of the BotRequest's fields."""
    for camel, snake in _FIELDS.items():
        message = message.replace(camel, snake)
    return message


def _more(error: UsherError) -> dict[str, Any]:
    if isinstance(error, CapReached):
        return {"limit": error.limit, "used": error.used}
    if isinstance(error, DuplicateMeeting):
        return {"meeting_id": error.meeting_id}
    if isinstance(error, InvalidMeeting):
        where = ["body", _FIELDS.get(error.field, error.field)]
        return {"errors": [{"loc": where, "msg": _renamed(str(error)), "type": error.code}]}
    return {}
