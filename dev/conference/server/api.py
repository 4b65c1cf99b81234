"""`POST /api/ROOM/VERB`: what the pages ask, and what a test asks in a host's stead."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from dev.conference.server.doors import Door, Doors
from dev.conference.server.livekit import LiveKit, RoomUnknown, is_inside

Json = dict[str, Any]


class Api:
    """The verbs: `come` and `join` are a guest's, the rest a host's. Jitsi's pages write rooms in small letters."""

    def __init__(self, livekit: LiveKit) -> None:
        self._livekit = livekit
        self._doors = Doors()
        self._scenarios: dict[str, Json] = {}
        self._verbs: dict[str, Callable[[str, Json], Awaitable[Json]]] = {
            "come": self._come,
            "join": self._join,
            "admit": self._admit,
            "deny": self._remove,
            "remove": self._remove,
            "end": self._end,
            "door": self._door,
            "scenario": self._scenario,
            "set_scenario": self._set_scenario,
            "participants": self._participants,
        }

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call."""
        verb = self._verbs.get(request.match_info["verb"])
        if verb is None:
            raise web.HTTPNotFound
        try:
            body = await request.json() if request.can_read_body else {}
            return web.json_response(await verb(request.match_info["room"].lower(), body))
        except RoomUnknown as exc:
            raise web.HTTPConflict(text=str(exc)) from exc
        except (KeyError, ValidationError) as exc:
            raise web.HTTPBadRequest(text=f"The call lacks something: {exc}") from exc

    async def _come(self, room: str, body: Json) -> Json:
        """A ticket for the first one and where there is no lobby; else what the door asks."""
        inside = await self._inside(room)
        door = self._doors.of(room)
        if refused := door.refusal(inside=inside, password=body.get("password")):
            return {"refused": refused}
        if inside and door.lobby:
            return {"members_only": True}
        return {**self._livekit.ticket(room, body["name"], free=True), "host": not inside}

    async def _join(self, room: str, body: Json) -> Json:
        """A ticket that waits in the lobby; a host's is free."""
        host = bool(body.get("host"))
        inside = await self._inside(room)
        door = self._doors.of(room)
        if not host and (refused := door.refusal(inside=inside, password=body.get("password"))):
            return {"refused": refused}
        return self._livekit.ticket(room, body["name"], free=host or not door.lobby)

    async def _admit(self, room: str, body: Json) -> Json:
        await self._livekit.admit(room, body["who"])
        return {}

    async def _remove(self, room: str, body: Json) -> Json:
        await self._livekit.remove(room, body["who"])
        return {}

    async def _end(self, room: str, _body: Json) -> Json:
        await self._livekit.end(room)
        return {}

    async def _door(self, room: str, body: Json) -> Json:
        self._doors.set(room, Door.model_validate(body))
        return {}

    async def _scenario(self, room: str, _body: Json) -> Json:
        """What a stand-in plays in this room."""
        return self._scenarios.get(room, {})

    async def _set_scenario(self, room: str, body: Json) -> Json:
        self._scenarios[room] = body
        return {}

    async def _participants(self, room: str, _body: Json) -> Json:
        found = await self._livekit.participants(room)
        return {"participants": [{"name": it["name"], "who": it["identity"], "inside": is_inside(it)} for it in found]}

    async def _inside(self, room: str) -> int:
        return sum(map(is_inside, await self._livekit.participants(room)))
