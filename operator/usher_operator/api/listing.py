"""Pages of a user's meetings, which /bots and /meetings list alike."""

from usher_models.db import meetings
from usher_models.db.engine import Database
from usher_models.db.meetings import Filter
from usher_operator.api.schemas.meetings import MeetingsQuery
from usher_operator.api.schemas.responses import MeetingResponse, MeetingsResponse
from usher_operator.api.vexa.legacy_statuses import status_filter


async def page_of(database: Database, query: MeetingsQuery, *, user_id: int, legacy: bool) -> MeetingsResponse:
    """One page of a user's meetings; one more row than a page tells whether another page follows."""
    which = Filter(
        limit=query.limit + 1,
        offset=query.offset,
        platform=query.platform,
        native_id=query.native_meeting_id,
        search=query.search,
        exclude_planned=query.exclude_planned,
        **vars(status_filter(query.status, legacy=legacy)) if query.status else {},
    )
    async with database.reading() as connection:
        records = await meetings.listed(connection, user_id, which)
    page = [MeetingResponse.of(record) for record in records[: query.limit]]
    more = len(records) > query.limit
    return MeetingsResponse(meetings=page, limit=query.limit, offset=query.offset, has_more=more)
