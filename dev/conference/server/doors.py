"""Who may come in: one door per room, open with a lobby until a test says otherwise.

Doors live in memory and as long as the server; rooms never share one.
"""

from collections import defaultdict
from typing import Literal

from pydantic import BaseModel, ConfigDict

Refusal = Literal["sign_in", "not_allowed", "no_moderator", "password", "full"]


class Door(BaseModel):
    """What a room asks of a guest. The first one in is its moderator unless the room waits for one."""

    model_config = ConfigDict(extra="forbid")

    lobby: bool = True
    password: str | None = None
    limit: int | None = None
    needs_moderator: bool = False
    needs_account: bool = False
    shuts_out: bool = False

    def refusal(self, *, inside: int, password: str | None) -> Refusal | None:
        """Why a guest may not even knock, or None."""
        if self.needs_account:
            return "sign_in"
        if self.shuts_out:
            return "not_allowed"
        if self.needs_moderator and not inside:
            return "no_moderator"
        if self.limit is not None and inside >= self.limit:
            return "full"
        return "password" if self.password not in (None, password) else None


class Doors:
    """The doors of all rooms."""

    def __init__(self) -> None:
        self._doors: defaultdict[str, Door] = defaultdict(Door)

    def of(self, room: str) -> Door:
        return self._doors[room]

    def set(self, room: str, door: Door) -> None:
        """Replace a room's door."""
        self._doors[room] = door
