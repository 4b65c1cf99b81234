"""Meetings: their state, history and notes. Rows of an older deployment look like Usher's own."""

from dataclasses import dataclass
from typing import Any

from usher_models.db import bots, meetings, object_deletions
from usher_models.db.engine import Database
from usher_operator.api.framework.route import Call, Nothing, Route
from usher_operator.api.listing import page_of
from usher_operator.api.schemas.bots import BotPath
from usher_operator.api.schemas.meetings import IdPath, MeetingPatch, MeetingsQuery
from usher_operator.api.schemas.responses import (
    MeetingResponse,
    MeetingsResponse,
    Message,
    SessionResponse,
    Sessions,
    TransitionResponse,
    Transitions,
)
from usher_operator.api.vexa.history import history

# As in Vexa: a key for bots does not read what was said in meetings.
SCOPES = frozenset({"tx"})


@dataclass(frozen=True, kw_only=True)
class Meetings:
    """The handlers of /meetings."""

    database: Database
    legacy_statuses: bool = False

    def routes(self) -> list[Route]:
        """The route table."""
        at, by_id = "/meetings/{platform}/{native_meeting_id}", "/meetings/{id}"
        shared: dict[str, Any] = {"tag": "Meetings", "scopes": SCOPES}
        one: dict[str, Any] = shared | {"method": "GET", "problems": (404,)}
        named: dict[str, Any] = shared | {"path": at, "problems": (404, 409)}
        return [
            Route(
                method="GET",
                path="/meetings",
                handler=self.list_meetings,
                summary="List meetings, the newest first",
                **shared,
            ),
            Route(path=by_id, handler=self.one, summary="Get a meeting", **one),
            Route(path=f"{by_id}/transitions", handler=self.transitions, summary="Get a meeting's audit trail", **one),
            Route(path=f"{by_id}/sessions", handler=self.sessions, summary="Get a meeting's sessions", **one),
            Route(method="PATCH", handler=self.describe, summary="Change a meeting's notes", **named),
            Route(method="DELETE", handler=self.forget, summary="Delete an ended meeting's private data", **named),
        ]

    async def list_meetings(self, call: Call[Nothing, MeetingsQuery]) -> MeetingsResponse:
        """One page."""
        return await page_of(self.database, call.query, user_id=call.user_id, legacy=self.legacy_statuses)

    async def one(self, call: Call[IdPath]) -> MeetingResponse:
        """One meeting."""
        async with self.database.reading() as connection:
            return MeetingResponse.of(await meetings.meeting(connection, call.path.id, user_id=call.user_id))

    async def transitions(self, call: Call[IdPath]) -> Transitions:
        """The audit trail; for a meeting of an older deployment, the one in the row's data."""
        async with self.database.transaction() as connection:
            record = await meetings.meeting(connection, call.path.id, user_id=call.user_id)
            lines = await bots.transitions(connection, record.id)
        trail = [TransitionResponse.of(line) for line in lines] if record.owned else history(record.data)
        return Transitions(meeting_id=record.id, transitions=trail)

    async def sessions(self, call: Call[IdPath]) -> Sessions:
        """The sessions."""
        async with self.database.transaction() as connection:
            record = await meetings.meeting(connection, call.path.id, user_id=call.user_id)
            rows = await meetings.sessions(connection, record.id)
        return Sessions(meeting_id=record.id, sessions=[SessionResponse.of(row) for row in rows])

    async def describe(self, call: Call[BotPath, Nothing, MeetingPatch]) -> MeetingResponse:
        """Merge new notes into the old ones."""
        path, data = call.path, call.body.data.model_dump(exclude_none=True)
        async with self.database.transaction() as connection:
            record = await meetings.newest(connection, path.platform, path.native_meeting_id, user_id=call.user_id)
            await meetings.describe(connection, record, data)
            return MeetingResponse.of(await meetings.meeting(connection, record.id, user_id=call.user_id))

    async def forget(self, call: Call[BotPath]) -> Message:
        """Delete the id, the data and the transcript; keep the row and its audit trail."""
        path = call.path
        async with self.database.transaction() as connection:
            record = await meetings.newest(connection, path.platform, path.native_meeting_id, user_id=call.user_id)
            await meetings.forget(connection, record)
            pending = await object_deletions.is_pending(connection, record.id)
        message = f"Meeting {path.platform}/{path.native_meeting_id} and its transcripts were deleted."
        if pending:
            # Kubernetes holds the link and the passcode, too, and may be unavailable.
            message += " What Kubernetes still holds of it is deleted next."
        return Message(message=message, meeting_id=record.id)
