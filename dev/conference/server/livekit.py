"""LiveKit's side: tickets that its server accepts, and the calls of its room service.

The lobby is real: a guest's ticket allows neither to hear nor to speak, and LiveKit holds the media back until a
moderator's `admit` changes the permissions.
"""

import secrets
import time
from typing import Any

import aiohttp
import jwt

from dev.conference.settings import API_KEY, API_SECRET

TICKET_S = 6 * 3600
FREE = {"canSubscribe": True, "canPublish": True, "canPublishData": True}
WAITING = dict.fromkeys(FREE, False)

Json = dict[str, Any]


class RoomUnknown(Exception):
    """LiveKit has no such room or participant."""


class LiveKit:
    """One LiveKit server. Borrows the process's HTTP session."""

    def __init__(self, url: str, *, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    def ticket(self, room: str, name: str, *, free: bool) -> Json:
        """What a page needs to connect: a token and the identity in it."""
        identity = f"{name}-{secrets.token_hex(4)}"
        grant = {"room": room, "roomJoin": True, **(FREE if free else WAITING)}
        return {"token": _token(grant, sub=identity, name=name), "identity": identity}

    async def admit(self, room: str, identity: str) -> None:
        await self._ask("UpdateParticipant", room, identity=identity, permission=FREE)

    async def remove(self, room: str, identity: str) -> None:
        await self._ask("RemoveParticipant", room, identity=identity)

    async def end(self, room: str) -> None:
        await self._ask("DeleteRoom", room)

    async def participants(self, room: str) -> list[Json]:
        """Everyone connected, in the lobby or inside; none when there is no such room."""
        try:
            return list((await self._ask("ListParticipants", room)).get("participants", []))
        except RoomUnknown:
            return []

    async def _ask(self, method: str, room: str, **message: Any) -> Json:
        grant = {"room": room, "roomAdmin": True, "roomCreate": True, "roomList": True}
        headers = {"Authorization": f"Bearer {_token(grant)}"}
        url = f"{self.url}/twirp/livekit.RoomService/{method}"
        async with self._session.post(url, json={"room": room, **message}, headers=headers) as response:
            if response.status == 404:
                raise RoomUnknown(f"{method} knows no room {room!r}.")
            response.raise_for_status()
            return dict(await response.json())


def is_inside(participant: Json) -> bool:
    """True if a participant is past the lobby."""
    return bool(participant.get("permission", {}).get("can_subscribe"))


def _token(grant: Json, **claims: str) -> str:
    now = int(time.time())
    return jwt.encode({"iss": API_KEY, "nbf": now - 10, "exp": now + TICKET_S, "video": grant, **claims}, API_SECRET)
