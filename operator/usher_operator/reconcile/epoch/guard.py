"""The guard of the epoch: it notices that the database went back, and holds what would do harm until bots are adopted.

A sweep looks at the database before it reads anything else. What it sees is kept in memory, and by the leader in a
ConfigMap, at most once a minute and not while bots are adopted: a process that starts in the middle sees it again.

    look ──► the database went back ──► hold: nothing is ended or deleted, the REST API reserves nothing
                                          │   each sweep adopts and raises the ids
                                          ▼
             a sweep read every namespace and found nothing to adopt ──► reservations go on, the record is written
                                          ▼
             the adopted bots had the time to speak ──► the hold is over

A hold ends after a while also if a namespace cannot be read: what cannot be read is not judged anyway.
"""

import logging
from collections.abc import Callable, Collection
from datetime import timedelta

from usher_models.db import epoch
from usher_models.db.engine import Database
from usher_models.db.epoch import NewestTransition, Sighting
from usher_models.db.known_ids import MOST_ID, SKIPPED
from usher_models.errors import ForeignDatabase, KubernetesUnavailable
from usher_operator.lifecycle.hold import Hold
from usher_operator.reconcile.epoch.events import AdoptionEvents
from usher_operator.reconcile.epoch.evidence import Evidence, compare, in_words, is_remade, proves_loss
from usher_operator.reconcile.epoch.record import Record
from usher_operator.reconcile.epoch.store import EpochStore
from usher_operator.settings import Settings
from usher_operator.telemetry import DATABASE_HELD, REWINDS

logger = logging.getLogger(__name__)

SAVE_EVERY_S = 60.0
ADOPTION_LIMIT_S = 900.0
HEARTBEATS_TO_SPEAK = 2


class EpochGuard:
    """One per reconciler."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        store: EpochStore,
        hold: Hold,
        events: AdoptionEvents,
        installation: str,
        clock: Callable[[], float],
    ) -> None:
        self.hold = hold
        self.events = events
        self.used_meeting_id = 0
        self._database = database
        self._store = store
        self._installation = installation
        self._kept_for = timedelta(days=settings.history_days) if settings.history_days > 0 else None
        self._speak_s = HEARTBEATS_TO_SPEAK * settings.heartbeat_interval_s
        self._clock = clock
        self._known: Record | None = None
        self._has_read = self._begun = False
        self._saved: Record | None = None
        self._saved_at = float("-inf")
        self._began_at = 0.0
        self._complete = False
        self._adopted = 0

    def forget(self) -> None:
        """Another process leads: what it sees and records is not known here."""
        self._known = self._saved = None
        self._has_read = False
        self._release()

    def mistrust(self) -> None:
        """The lead is lost: another process may have it for a while, and what that one records is newer."""
        self._has_read = False

    async def look(self) -> None:
        """Compare the database with what was seen. Raises DatabaseUnavailable, and ForeignDatabase for another's."""
        self._complete, self._adopted = False, 0
        async with self._database.reading() as connection:
            seen = await epoch.see(connection)
        await self._read_stored()
        signs = [*await self._own(seen), *await self._signs(seen)]
        if signs:
            await self._begin(signs)
        self._note(seen)
        if not self.hold.adopting:
            await self._save_if_due()

    def note_snapshot(self, *, complete: bool) -> None:
        """Note whether the sweep could read all that is to be looked through."""
        self._complete = complete

    def note_failure(self) -> None:
        """Note that an adoption failed, and is tried again."""
        self._complete = False

    async def note_adoptions(self, *, adopted: int, lost_users: Collection[int]) -> None:
        """Note what the sweep adopted, and whose bots it could not adopt."""
        self._adopted = adopted
        if adopted and not self.hold.active:
            await self._begin([Evidence.ROWS_LOST])
        if self._complete:
            self.hold.lost_users = frozenset(lost_users)

    async def swept(self) -> None:
        """Release what this sweep allows to. Raises DatabaseUnavailable."""
        if self.hold.adopting and (self._is_done() or self._is_overdue()):
            await self._finish()
        if self.hold.active and not self.hold.adopting and self._clock() - self._began_at >= self._speak_s:
            self._release()
            logger.warning("Meetings are ended and Jobs deleted again.", extra={"action": "hold_released"})

    async def _read_stored(self) -> None:
        """Once since the lead was taken; the newer of what is stored and what this process saw itself counts."""
        if self._has_read:
            return
        try:
            stored = await self._store.read()
        except KubernetesUnavailable as exc:
            logger.info("The epoch is read later: %s", exc, extra={"action": "epoch_not_read"})
            return
        self._has_read = True
        record = stored.record
        if record is None or record.installation != self._installation:
            return
        if self._known is None or record.seen_at > self._known.seen_at:
            self._known = self._saved = record

    async def _own(self, seen: Sighting) -> list[Evidence]:
        """What taking the schema back proves; raises ForeignDatabase if it is another installation's."""
        if seen.installation == self._installation:
            self.hold.foreign = False
            return []
        if self._known is not None and is_remade(self._known, seen):
            async with self._database.at_once() as connection:
                if await epoch.take_back_installation(connection, self._installation, seen_at=self._known.seen_at):
                    self.hold.foreign = False
                    return [Evidence.SCHEMA_REMADE]
        self.hold.foreign = True
        raise ForeignDatabase(
            f"The database belongs to the installation {seen.installation}, and the bots here to {self._installation}:"
            " none of them is touched, and no new one starts, until their database is back."
        )

    async def _signs(self, seen: Sighting) -> list[Evidence]:
        unfinished = not self._begun and await self._is_unfinished()
        signs = [Evidence.UNFINISHED] if unfinished else []
        if self._known is not None:
            stands = await self._stands(self._known.newest)
            signs += compare(self._known, seen, stands=stands, kept_for=self._kept_for)
        return signs

    async def _is_unfinished(self) -> bool:
        async with self._database.reading() as connection:
            return await epoch.is_rewind_open(connection)

    async def _stands(self, newest: NewestTransition | None) -> bool:
        if newest is None:
            return True
        async with self._database.reading() as connection:
            return await epoch.stands(connection, newest)

    async def _begin(self, signs: list[Evidence]) -> None:
        used = self._known.last_meeting_id + SKIPPED if self._known else 0
        self.used_meeting_id = min(max(self.used_meeting_id, used), MOST_ID)
        self.hold.begin()
        self._begun, self._began_at = True, self._clock()
        DATABASE_HELD.set(1)
        async with self._database.at_once() as connection:
            await epoch.begin_rewind(connection, signs)
        for sign in signs:
            REWINDS.labels(evidence=sign).inc()
        what = "The database went back in time" if proves_loss(signs) else "Commits of the database may be lost"
        logger.error(
            "%s (%s): nothing is ended or deleted until the bots that it has lost are adopted.",
            what,
            in_words(signs),
            extra={"action": "database_went_back", "evidence": [str(sign) for sign in signs]},
        )

    def _note(self, seen: Sighting) -> None:
        known = self._known
        self.hold.known_ids.note(seen.last_meeting_id, installation=self._installation)
        self._known = Record.of(
            seen,
            installation=self._installation,
            epoch=known.epoch if known else 0,
            last_meeting_id=known.last_meeting_id if known and self.hold.adopting else 0,
        )

    def _is_done(self) -> bool:
        return self._complete and self._adopted == 0

    def _is_overdue(self) -> bool:
        if self._clock() - self._began_at < ADOPTION_LIMIT_S:
            return False
        logger.error(
            "Not everything could be looked through for %.0f s; Usher goes on without.",
            ADOPTION_LIMIT_S,
            extra={"action": "adoption_incomplete"},
        )
        return True

    async def _finish(self) -> None:
        async with self._database.at_once() as connection:
            await epoch.finish_rewind(connection)
            seen = await epoch.see(connection)
        self.hold.adopting, self.hold.lost_users, self._begun = False, None, False
        logger.warning("Every bot that can be adopted is.", extra={"action": "adoption_complete"})
        self._note(seen)
        if self._known is not None:
            self._known = self._known.next_epoch()
        await self._save()

    def _release(self) -> None:
        self.hold.active = self.hold.adopting = False
        self.hold.lost_users = None
        self._begun = False
        self.used_meeting_id = 0
        DATABASE_HELD.set(0)

    async def _save_if_due(self) -> None:
        changed = self._saved is None or self._known is None or not self._known.says_the_same(self._saved)
        if changed and self._clock() - self._saved_at >= SAVE_EVERY_S:
            await self._save()

    async def _save(self) -> None:
        if self._known is None or not self._has_read:
            return
        self._saved_at = self._clock()
        if await self._store.replace(self._known):
            self._saved = self._known
