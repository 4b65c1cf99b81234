"""What this process must not do now, because the database went back, or belongs to another installation.

The reconciler sets it, and everything that starts, ends or deletes asks it. While it adopts, a new bot of a user who
has a lost one might join it in the same meeting.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.known_ids import KnownIds
from usher_models.db.leader_lock import Fence
from usher_models.errors import DatabaseWentBack, ForeignDatabase


@dataclass(kw_only=True)
class Hold:
    """One per process. `lost_users`: whose bots run without rows; None until every namespace was looked through.

    `adopting` ends with the last adoption, and `active` when the adopted bots had the time to speak.
    """

    active: bool = False
    adopting: bool = False
    lost_users: Collection[int] | None = None
    foreign: bool = False
    known_ids: KnownIds = field(default_factory=KnownIds)

    def begin(self) -> None:
        """Hold from now on, until every namespace was looked through for bots without rows."""
        self.active = self.adopting = True
        self.lost_users = None

    def require_own_database(self) -> None:
        """Raise ForeignDatabase while the database is another installation's."""
        if self.foreign:
            raise ForeignDatabase

    def require_none_lost(self, user_id: int) -> None:
        """Raise DatabaseWentBack while the user may have a bot without a row."""
        if self.adopting and (self.lost_users is None or user_id in self.lost_users):
            raise DatabaseWentBack


class HeldFence:
    """A fence for what deletes: the leader's own, closed during a hold."""

    def __init__(self, fence: Fence, hold: Hold) -> None:
        self._fence = fence
        self._hold = hold

    @property
    def leads(self) -> bool:
        """See Fence."""
        return self._fence.leads and not (self._hold.active or self._hold.foreign)

    @property
    def held_for_s(self) -> float:
        """See Fence."""
        return self._fence.held_for_s

    async def confirm(self, connection: AsyncConnection) -> None:
        """See Fence. Raises DatabaseWentBack and ForeignDatabase as well."""
        self._hold.require_own_database()
        if self._hold.active:
            raise DatabaseWentBack
        await self._fence.confirm(connection)
