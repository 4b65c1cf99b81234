"""`/ws`: clients of Vexa follow the status of their meetings.

    → {"action": "subscribe" | "unsubscribe", "meetings": [{"platform": …, "native_id": …}]}   {"action": "ping"}
    ← {"type": "subscribed" | "unsubscribed", "meetings": […]}   {"type": "pong"}   {"type": "error", "error": …}
    ← {"type": "meeting.status", "meeting": {…}, "payload": {"status": …}, "user_id": …, "ts": …}

A client gets every change of its user's meetings, as from the newest gateway; a subscription also answers with the
meeting's present status. Transcripts and chat come from bots, which Usher does not read.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import WSMsgType, web

from usher_models.db import meetings
from usher_models.db.engine import Database
from usher_models.errors import Forbidden, NotFound, Unauthorized, Unavailable
from usher_operator.api.auth import USER_HEADER, UserKeys
from usher_operator.api.vexa.legacy_statuses import status_word
from usher_operator.api.vexa.status_feed import Follower, StatusFeed, status_frame

SCOPES = frozenset({"bot", "tx"})
MESSAGE_MAX_BYTES = 64 * 1024
MEETINGS_MAX = 100
SOCKETS_PER_USER = 20
PING_S = 30
# A key that was revoked follows nothing for longer than this.
RECHECK_S = 30

UNAUTHORIZED, FORBIDDEN, TOO_MANY, RETRY = 4401, 4403, 4429, 4503


@dataclass(frozen=True, kw_only=True)
class Sockets:
    """The handler of `/ws`."""

    database: Database
    users: UserKeys
    feed: StatusFeed
    legacy: bool = False
    _open: Counter[int] = field(default_factory=Counter)
    _sockets: set[web.WebSocketResponse] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it leaves."""
        socket = web.WebSocketResponse(heartbeat=PING_S, max_msg_size=MESSAGE_MAX_BYTES)
        await socket.prepare(request)
        key = request.headers.get(USER_HEADER) or request.query.get("api_key")
        try:
            owner = await self.users.owner(key, scopes=SCOPES)
        except (Unauthorized, Forbidden, Unavailable) as exc:
            return await _reject(socket, exc, given=bool(key))
        if self._open[owner.user_id] >= SOCKETS_PER_USER:
            return await _close(socket, "too_many_connections", TOO_MANY)
        await self._serve(socket, Follower(user_id=owner.user_id), key=key or "")
        return socket

    async def close(self, _: web.Application) -> None:
        """Close every socket, because the server stops."""
        for socket in list(self._sockets):
            await socket.close(code=1001)

    async def _serve(self, socket: web.WebSocketResponse, follower: Follower, *, key: str) -> None:
        self._open[follower.user_id] += 1
        self._sockets.add(socket)
        await self.feed.follow(follower)
        sending = asyncio.create_task(self._send(socket, follower, key=key))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._answer(socket, str(message.data), user_id=follower.user_id)
        finally:
            self.feed.followers.discard(follower)
            self._sockets.discard(socket)
            self._open[follower.user_id] -= 1
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending

    async def _send(self, socket: web.WebSocketResponse, follower: Follower, *, key: str) -> None:
        """Send frames; end when the client is too slow or its key stopped working."""
        while not socket.closed:
            try:
                async with asyncio.timeout(RECHECK_S):
                    frame = await follower.frames.get()
            except TimeoutError:
                frame = None
            if follower.behind:
                await socket.close(code=TOO_MANY)
                return
            with suppress(Unavailable):
                try:
                    await self.users.owner(key, scopes=SCOPES)
                except (Unauthorized, Forbidden):
                    await socket.close(code=UNAUTHORIZED)
                    return
            if frame is not None:
                with suppress(ConnectionError):
                    await socket.send_str(frame)

    async def _answer(self, socket: web.WebSocketResponse, text: str, *, user_id: int) -> None:
        for reply in await self._replies(text, user_id=user_id):
            with suppress(ConnectionError):
                await socket.send_str(reply)

    async def _replies(self, text: str, *, user_id: int) -> list[str]:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return [_error("invalid_json")]
        action = message.get("action")
        if action == "ping":
            return [json.dumps({"type": "pong"})]
        if action not in ("subscribe", "unsubscribe"):
            return [_error("unknown_action")]
        names = message.get("meetings")
        if not isinstance(names, list) or not 0 < len(names) <= MEETINGS_MAX:
            details = f"'meetings' must be a list of 1 to {MEETINGS_MAX} meetings"
            return [_error(f"invalid_{action}_payload", details)]
        if action == "unsubscribe":
            return [json.dumps({"type": "unsubscribed", "meetings": list(_named(names))})]
        return await self._subscribe(list(_named(names)), user_id=user_id)

    async def _subscribe(self, names: list[dict[str, str]], *, user_id: int) -> list[str]:
        """The acknowledgement, and each meeting's status as it is."""
        found, frames, errors = [], [], []
        try:
            async with self.database.reading() as connection:
                for name in names:
                    try:
                        record = await meetings.newest(connection, name["platform"], name["native_id"], user_id=user_id)
                    except NotFound:
                        errors.append(f"{name['platform']}/{name['native_id']} not authorized or not found for user")
                        continue
                    found.append(name)
                    frames.append(self._present(record, name))
        except Unavailable as exc:
            return [_error("authorization_service_error", str(exc))]
        refused = [_error("invalid_subscribe_payload", errors)] if errors or not names else []
        return [*refused, json.dumps({"type": "subscribed", "meetings": found}), *frames]

    def _present(self, record: meetings.Record, name: dict[str, str]) -> str:
        status = status_word(record.status, stage=record.stage) if self.legacy else record.status
        at = record.updated_at or record.created_at or datetime.now(UTC)
        aware = at if at.tzinfo else at.replace(tzinfo=UTC)
        return status_frame({"id": record.id, **name}, status=status, user_id=record.user_id, at=aware)


def _named(names: list[Any]) -> Iterable[dict[str, str]]:
    """The entries that name a meeting."""
    for each in names:
        name = each if isinstance(each, dict) else {}
        platform, native_id = (str(name.get(field, "")).strip() for field in ("platform", "native_id"))
        if platform and native_id and "\0" not in platform + native_id:
            yield {"platform": platform, "native_id": native_id}


def _error(error: str, details: object = None) -> str:
    return json.dumps({"type": "error", "error": error} | ({"details": details} if details else {}))


async def _reject(socket: web.WebSocketResponse, error: Exception, *, given: bool) -> web.WebSocketResponse:
    if isinstance(error, Unavailable):
        return await _close(socket, "auth_unavailable", RETRY)
    if isinstance(error, Forbidden):
        return await _close(socket, "insufficient_scope", FORBIDDEN)
    return await _close(socket, "invalid_api_key" if given else "missing_api_key", UNAUTHORIZED)


async def _close(socket: web.WebSocketResponse, error: str, code: int) -> web.WebSocketResponse:
    await socket.send_str(_error(error))
    await socket.close(code=code)
    return socket
