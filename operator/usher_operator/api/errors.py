"""How the public API answers errors: like every server of Usher's, plus what Vexa's clients expect to read."""

import json
from typing import Any

from aiohttp import web

from usher_models.errors import CapReached, DuplicateMeeting, InvalidInput, InvalidMeeting, UsherError
from usher_models.wire import Problem
from usher_operator.http.errors import Handler, problems, respond, status_of

# When a slot may be free again nobody knows; a bot that is asked to leave takes about this long.
RETRY_AFTER_S = 30

_FIELDS = {
    "nativeMeetingId": "native_meeting_id",
    "meetingUrl": "meeting_url",
}


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what the API refuses; leave the rest to `problems`."""

    async def refusing(inner: web.Request) -> web.StreamResponse:
        try:
            return await handler(inner)
        except (CapReached, DuplicateMeeting, InvalidInput, InvalidMeeting) as exc:
            return _refuse(exc)

    return _without_terminate(await problems(request, refusing))


def _without_terminate(answer: web.StreamResponse) -> web.StreamResponse:
    """`terminate` is a word for bots."""
    if isinstance(answer, web.Response) and answer.status >= 400 and answer.content_type == "application/json":
        body = json.loads(answer.text or "{}")
        body.pop("terminate", None)
        answer.text = json.dumps(body)
    return answer


def _refuse(error: UsherError) -> web.Response:
    response = respond(status_of(error), Problem(code=error.code, detail=_detail(error), **_more(error)))
    if isinstance(error, CapReached):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _detail(error: UsherError) -> str | list[dict[str, Any]]:
    if isinstance(error, CapReached):
        return f"Maximum concurrent bots limit reached ({error.limit})"
    if isinstance(error, InvalidInput):
        return error.errors
    if isinstance(error, InvalidMeeting):
        said = str(error)
        for camel, snake in _FIELDS.items():
            said = said.replace(camel, snake)
        return [{"loc": ["body", _FIELDS.get(error.field, error.field)], "msg": said, "type": error.code}]
    return str(error)


def _more(error: UsherError) -> dict[str, Any]:
    if isinstance(error, CapReached):
        return {"limit": error.limit, "used": error.used}
    if isinstance(error, DuplicateMeeting):
        return {"meeting_id": error.meeting_id}
    return {}
