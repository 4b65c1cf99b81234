"""Bots: create, reconfigure and stop them.

Each request becomes a row first. Its consequences in Kubernetes and on Redis may be late and are repeated until they
took effect.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4, uuid5

from usher_models.db import bots, meetings, reservations
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.known_ids import KnownIds
from usher_models.db.meetings import Record
from usher_models.errors import DuplicateMeeting, InvalidInput, MeetingEnded, NotFound, NotOwned, Refused
from usher_models.states import Reason
from usher_operator.api.create_queue import CreateQueue
from usher_operator.api.framework.route import Answer, Call, Nothing, Route
from usher_operator.api.listing import page_of
from usher_operator.api.reservation import to_reservation
from usher_operator.api.schemas.bot_status import BotsStatus, BotStatus, Stopping
from usher_operator.api.schemas.bots import BotConfig, BotCreate, BotPath, CreateHeaders
from usher_operator.api.schemas.meetings import BotsQuery, IdPath, StatusQuery
from usher_operator.api.schemas.responses import MeetingResponse, MeetingsResponse, Message
from usher_operator.kube.drivers import BROWSER
from usher_operator.lifecycle.commands import Commander
from usher_operator.telemetry import RESERVATIONS

logger = logging.getLogger(__name__)

# Connection ids of repeated requests are derived from it: never change it.
IDEMPOTENCY_NAMESPACE = UUID("6a2f1c38-64a5-5c52-9d0e-2b1f0f6f7d11")

BOT = frozenset({"bot"})
# A client whose clock is a little fast, or which schedules for now, gets its bot.
JOIN_TOLERANCE = timedelta(seconds=60)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Bots:
    """The handlers of /bots."""

    database: Database
    commander: Commander
    requests: CreateQueue
    namespace: str
    legacy_statuses: bool = False
    now: Callable[[], datetime] = _utc_now
    allowed_private_hosts: tuple[str, ...] = ()
    default_driver: str = BROWSER
    known_ids: KnownIds = field(default_factory=KnownIds)

    def routes(self) -> list[Route]:
        """The route table."""
        at = "/bots/{platform}/{native_meeting_id}"
        return [
            Route(
                method="POST",
                path="/bots",
                handler=self.create,
                summary="Send a bot to a meeting",
                tag="Bots",
                status=201,
                problems=(409, 429),
                scopes=BOT,
            ),
            Route(
                method="GET",
                path="/bots/status",
                handler=self.status,
                summary="List the bots that hold a slot",
                tag="Bots",
                scopes=BOT,
            ),
            Route(
                method="GET",
                path="/bots",
                handler=self.list_bots,
                summary="List bots, the newest first",
                tag="Bots",
                scopes=BOT,
            ),
            Route(
                method="GET",
                path="/bots/id/{id}",
                handler=self.one,
                summary="Get a bot",
                tag="Bots",
                problems=(404,),
                scopes=BOT,
            ),
            Route(
                method="PUT",
                path=f"{at}/config",
                handler=self.configure,
                summary="Change a bot's language or task",
                tag="Bots",
                status=202,
                problems=(404, 409),
                scopes=BOT,
            ),
            Route(
                method="DELETE",
                path=at,
                handler=self.stop,
                summary="Stop a bot; may be repeated",
                tag="Bots",
                problems=(404, 409),
                scopes=BOT,
            ),
        ]

    async def create(self, call: Call[Nothing, Nothing, BotCreate, CreateHeaders]) -> Answer[MeetingResponse]:
        """Reserve and commit; the BotRequest is created after the answer, because Kubernetes may be slow or away."""
        refuse_schedule(call.body, now=self.now())
        key = call.headers.idempotency_key
        connection_id = str(uuid5(IDEMPOTENCY_NAMESPACE, f"{call.user_id}:{key}") if key else uuid4())
        request = to_reservation(
            call.body,
            user_id=call.user_id,
            connection_id=connection_id,
            namespace=self.namespace,
            allowed_private_hosts=self.allowed_private_hosts,
            default_driver=self.default_driver,
        )
        bot, created = await self._reserve(request)
        if not created and bot.spec not in (request.spec, {}):
            message = "was used for another request; use a new key"
            raise InvalidInput([{"loc": ["header", "Idempotency-Key"], "msg": message, "type": "idempotency"}])
        if created:
            self.requests.put(bot)
            return Answer(body=MeetingResponse.of(meetings.of_new(bot)))
        record = await self._record(call.user_id, bot.meeting_id)
        return Answer(body=record, headers={"Idempotent-Replayed": "true"})

    async def _reserve(self, request: reservations.Request) -> tuple[Bot, bool]:
        try:
            async with self.known_ids.alarm(self.database), self.database.at_once() as connection:
                reservation = await self.known_ids.reserve(connection, request)
        except Refused as exc:
            RESERVATIONS.labels(outcome=exc.code).inc()
            if isinstance(exc, DuplicateMeeting) and exc.meeting_id is None:
                raise await self._duplicate(request) from exc
            raise
        if reservation.created:
            RESERVATIONS.labels(outcome="admitted").inc()
            meeting_id = reservation.bot.meeting_id
            logger.info("Reserved a slot.", extra={"action": "slot_reserved", "meeting_id": meeting_id})
        return reservation.bot, reservation.created

    async def _duplicate(self, request: reservations.Request) -> DuplicateMeeting:
        """The error for a duplicate that only the database's unique index detected, with the meeting's id."""
        ref = request.meeting
        try:
            async with self.database.reading() as connection:
                record = await meetings.newest(connection, ref.platform, ref.native_id, user_id=request.user_id)
        except NotFound:
            return DuplicateMeeting(meeting_id=None)
        return DuplicateMeeting(meeting_id=record.id)

    async def _record(self, user_id: int, meeting_id: int) -> MeetingResponse:
        async with self.database.reading() as connection:
            return MeetingResponse.of(await meetings.meeting(connection, meeting_id, user_id=user_id))

    async def status(self, call: Call[Nothing, StatusQuery]) -> BotsStatus:
        """Every bot that holds a slot."""
        async with self.database.reading() as connection:
            records = await meetings.holding_slots(connection, call.user_id, platform=call.query.platform)
        running = [BotStatus.of(record) for record in records]
        return BotsStatus(running_bots=running, running=running, count=len(running))

    async def list_bots(self, call: Call[Nothing, BotsQuery]) -> MeetingsResponse:
        """One page of the bots that pass the filter, in the shape of the newest Vexa; older ones had no such route."""
        page = await page_of(self.database, call.query, user_id=call.user_id, legacy=self.legacy_statuses)
        if not call.query.include:
            page.meetings = [bot.model_copy(update={"data": {}}) for bot in page.meetings]
        return page

    async def one(self, call: Call[IdPath]) -> MeetingResponse:
        """One bot by its meeting's id."""
        return await self._record(call.user_id, call.path.id)

    async def configure(self, call: Call[BotPath, Nothing, BotConfig]) -> Message:
        """Store the new configuration, then send it to the bot."""
        record, bot = await self._find(call.path, user_id=call.user_id)
        if record.ended:
            raise MeetingEnded(f"Meeting found but is not active (status: '{record.status}').")
        await self.commander.configure(_owned(bot), call.body.model_dump(exclude_none=True))
        return Message(message="Reconfiguration request accepted and sent to the bot.", meeting_id=record.id)

    async def stop(self, call: Call[BotPath]) -> Stopping:
        """Store that the bot has to leave, then send it the command."""
        record, bot = await self._find(call.path, user_id=call.user_id)
        if record.ended:
            return _stopping(record, status=record.status, message=f"Meeting already {record.status}.")
        asked = await self.commander.leave([_owned(bot)], reason=Reason.STOPPED)
        message = "Stop request accepted and is being processed." if asked else "The bot is already leaving."
        return _stopping(record, status="stopping", message=message)

    async def _find(self, path: BotPath, *, user_id: int) -> tuple[Record, Bot | None]:
        async with self.database.transaction() as connection:
            record = await meetings.newest(connection, path.platform, path.native_meeting_id, user_id=user_id)
            return record, await bots.bot_by_id(connection, record.id)


def refuse_schedule(body: BotCreate, *, now: datetime) -> None:
    """Raise InvalidInput for a bot that should join later: it would join now."""
    at = body.wanted_at
    if at is None or (at if at.tzinfo else at.replace(tzinfo=UTC)) <= now + JOIN_TOLERANCE:
        return
    field = "join_at" if body.join_at else "scheduled_at"
    message = "is in the future; Usher sends bots at once, so send the request at that time"
    raise InvalidInput([{"loc": ["body", field], "msg": message, "type": "schedule"}])


def _owned(bot: Bot | None) -> Bot:
    if bot is None:
        raise NotOwned
    return bot


def _stopping(record: Record, *, status: str, message: str) -> Stopping:
    return Stopping(status=status, message=message, meeting_id=record.id, native_meeting_id=record.native_id)
