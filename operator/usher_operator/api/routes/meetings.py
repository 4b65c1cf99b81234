"""Meetings: what was, and what is noted about it. Rows of an older deployment are shown like Usher's own."""

from dataclasses import dataclass
from typing import Any

from usher_models.db import bots, meetings
from usher_models.db.engine import Database
from usher_models.db.meetings import Filter
from usher_operator.api.framework.route import Call, Route
from usher_operator.api.schemas.requests import BotPath, IdPath, MeetingPatch, MeetingsQuery
from usher_operator.api.schemas.responses import (
    MeetingResponse,
    MeetingsResponse,
    Message,
    SessionResponse,
    Sessions,
    TransitionResponse,
    Transitions,
)
from usher_operator.api.vexa.history import story_of

SCOPES = frozenset({"bot", "tx"})


@dataclass(frozen=True, kw_only=True)
class Meetings:
    """The handlers and what they work with."""

    database: Database

    def routes(self) -> list[Route]:
        """The route table."""
        at, by_id = "/meetings/{platform}/{native_meeting_id}", "/meetings/{id}"
        shared: dict[str, Any] = {"tag": "Meetings", "scopes": SCOPES}
        one: dict[str, Any] = shared | {"method": "GET", "path_model": IdPath, "problems": (404,)}
        named: dict[str, Any] = shared | {"path": at, "path_model": BotPath, "problems": (404, 409)}
        return [
            Route(
                method="GET",
                path="/meetings",
                handler=self.list_meetings,
                summary="Every meeting, the newest first",
                query=MeetingsQuery,
                gives=MeetingsResponse,
                **shared,
            ),
            Route(path=by_id, handler=self.one, summary="One meeting", gives=MeetingResponse, **one),
            Route(
                path=f"{by_id}/transitions",
                handler=self.transitions,
                summary="A meeting's audit trail",
                gives=Transitions,
                **one,
            ),
            Route(
                path=f"{by_id}/sessions", handler=self.sessions, summary="A meeting's sessions", gives=Sessions, **one
            ),
            Route(
                method="PATCH",
                handler=self.describe,
                summary="Note something about a meeting",
                takes=MeetingPatch,
                gives=MeetingResponse,
                **named,
            ),
            Route(
                method="DELETE",
                handler=self.forget,
                summary="Take everything private out of an ended meeting",
                gives=Message,
                **named,
            ),
        ]

    async def list_meetings(self, call: Call) -> MeetingsResponse:
        """One page."""
        query: MeetingsQuery = call.query
        values = query.model_dump(exclude={"native_meeting_id", "limit"})
        which = Filter(**values, limit=query.limit + 1, native_id=query.native_meeting_id)
        async with self.database.reading() as connection:
            found = await meetings.listed(connection, call.user_id, which)
        shown = [MeetingResponse.of(record) for record in found[: query.limit]]
        more = len(found) > query.limit
        return MeetingsResponse(meetings=shown, limit=query.limit, offset=query.offset, has_more=more)

    async def one(self, call: Call) -> MeetingResponse:
        """One meeting."""
        async with self.database.reading() as connection:
            return MeetingResponse.of(await meetings.meeting(connection, call.path.id, user_id=call.user_id))

    async def transitions(self, call: Call) -> Transitions:
        """The audit trail; that of an older deployment is read from where it kept it."""
        async with self.database.transaction() as connection:
            record = await meetings.meeting(connection, call.path.id, user_id=call.user_id)
            lines = await bots.transitions(connection, record.id)
        story = [TransitionResponse.of(line) for line in lines] if record.owned else story_of(record.data)
        return Transitions(meeting_id=record.id, transitions=story)

    async def sessions(self, call: Call) -> Sessions:
        """The sessions."""
        async with self.database.transaction() as connection:
            record = await meetings.meeting(connection, call.path.id, user_id=call.user_id)
            found = await meetings.sessions(connection, record.id)
        return Sessions(meeting_id=record.id, sessions=[SessionResponse.of(session) for session in found])

    async def describe(self, call: Call) -> MeetingResponse:
        """Merge new notes into the old ones."""
        path, data = call.path, call.body.data.model_dump(exclude_none=True)
        async with self.database.transaction() as connection:
            record = await meetings.newest(connection, path.platform, path.native_meeting_id, user_id=call.user_id)
            await meetings.describe(connection, record, data)
            return MeetingResponse.of(await meetings.meeting(connection, record.id, user_id=call.user_id))

    async def forget(self, call: Call) -> Message:
        """Its id, its data and its transcript go; that it was, and its audit trail, stay."""
        path = call.path
        async with self.database.transaction() as connection:
            record = await meetings.newest(connection, path.platform, path.native_meeting_id, user_id=call.user_id)
            await meetings.forget(connection, record)
        message = f"Meeting {path.platform}/{path.native_meeting_id} and its transcripts were deleted."
        return Message(message=message, meeting_id=record.id)
