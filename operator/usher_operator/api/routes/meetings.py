"""Meetings: their state, history and notes. Rows of an older deployment look like Usher's own."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import bots, evidence, meetings, object_deletions
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.meetings import Record
from usher_models.errors import EvidenceNotReady, NoEvidence
from usher_operator.api.framework.route import Call, Nothing, Route
from usher_operator.api.listing import page_of
from usher_operator.api.schemas.bots import BotPath
from usher_operator.api.schemas.evidence import EvidenceResponse
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
        numbered: dict[str, Any] = named | {"path": by_id}
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
            Route(
                path=f"{by_id}/evidence", handler=self.evidence, summary="Get what is known of a failed meeting", **one
            ),
            Route(path=f"{by_id}/sessions", handler=self.sessions, summary="Get a meeting's sessions", **one),
            Route(method="PATCH", handler=self.describe, summary="Change a meeting's notes", **named),
            Route(method="DELETE", handler=self.forget, summary="Delete an ended meeting's private data", **named),
            Route(method="PATCH", handler=self.describe_one, summary="Change a meeting's notes by its id", **numbered),
            Route(
                method="DELETE",
                handler=self.forget_one,
                summary="Delete an ended meeting's private data by its id",
                **numbered,
            ),
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

    async def evidence(self, call: Call[IdPath]) -> EvidenceResponse:
        """The bundle."""
        async with self.database.transaction() as connection:
            record = await meetings.meeting(connection, call.path.id, user_id=call.user_id)
            found = await evidence.read(connection, record.id)
        if found is None:
            raise NoEvidence
        if found.bundle is None:
            raise EvidenceNotReady
        return EvidenceResponse.model_validate(found.bundle)

    async def sessions(self, call: Call[IdPath]) -> Sessions:
        """The sessions."""
        async with self.database.transaction() as connection:
            record = await meetings.meeting(connection, call.path.id, user_id=call.user_id)
            rows = await meetings.sessions(connection, record.id)
        return Sessions(meeting_id=record.id, sessions=[SessionResponse.of(row) for row in rows])

    async def describe(self, call: Call[BotPath, Nothing, MeetingPatch]) -> MeetingResponse:
        """Merge new notes into the old ones."""
        async with self.database.transaction() as connection:
            record = await _newest(connection, call.path, user_id=call.user_id)
            return await _describe(connection, record, call.body)

    async def describe_one(self, call: Call[IdPath, Nothing, MeetingPatch]) -> MeetingResponse:
        """The same by the meeting's id."""
        async with self.database.transaction() as connection:
            record = await meetings.meeting(connection, call.path.id, user_id=call.user_id)
            return await _describe(connection, record, call.body)

    async def forget(self, call: Call[BotPath]) -> Message:
        """Delete the id, the data and the transcript; keep the row and its audit trail."""
        async with self.database.transaction() as connection:
            return await _forget(connection, await _newest(connection, call.path, user_id=call.user_id))

    async def forget_one(self, call: Call[IdPath]) -> Message:
        """The same by the meeting's id."""
        async with self.database.transaction() as connection:
            return await _forget(connection, await meetings.meeting(connection, call.path.id, user_id=call.user_id))


async def _newest(connection: AsyncConnection, path: BotPath, *, user_id: int) -> Record:
    return await meetings.newest(connection, path.platform, path.native_meeting_id, user_id=user_id)


async def _describe(connection: AsyncConnection, record: Record, body: MeetingPatch) -> MeetingResponse:
    await meetings.describe(connection, record, body.data.model_dump(exclude_none=True))
    return MeetingResponse.of(await meetings.meeting(connection, record.id, user_id=record.user_id))


async def _forget(connection: AsyncConnection, record: Record) -> Message:
    bot = await bots.bot_by_id(connection, record.id)
    await meetings.forget(connection, record)
    message = f"Meeting {record.platform}/{record.native_id or record.id} and its transcripts were deleted."
    if await object_deletions.is_pending(connection, record.id):
        # Kubernetes holds the link and the passcode, too, and may be unavailable.
        message += f" What Kubernetes still holds of it is deleted next.{_warning(bot)}"
    return Message(message=message, meeting_id=record.id)


def _warning(bot: Bot | None) -> str:
    """About a BotRequest that its owner made: whoever keeps it elsewhere would make it again, which asks for a bot."""
    if bot is None or bot.request_name is None or not bot.spec or "connectionId" in bot.spec:
        return ""
    name = f"{bot.request_namespace}/{bot.request_name}"
    return f" If Git or a controller keeps the BotRequest {name}, take it out there, or a new bot will be sent."
