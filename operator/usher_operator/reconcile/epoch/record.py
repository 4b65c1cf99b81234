"""What Usher last saw of its database, as the data of a ConfigMap: strings that a person can read.

People may write a ConfigMap. Contents that make no sense are not believed: a record that is not there proves nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from usher_models.db.epoch import NewestTransition, Sighting
from usher_models.db.known_ids import MOST_ID

Id = Annotated[int, Field(ge=0, le=MOST_ID)]


class Unreadable(Exception):
    """The contents are no record; the message says what is wrong with them."""


class _Data(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    installation: UUID
    epoch: Annotated[int, Field(ge=0)]
    seen_at: AwareDatetime
    system_identifier: Annotated[str, Field(max_length=64)] | None = None
    database_oid: int
    timeline: int | None = None
    last_meeting_id: Id
    newest_meeting_id: Id | None = None
    newest_seq: int | None = None
    newest_at: AwareDatetime | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """A sighting that was kept. `epoch` counts how often the database went back since."""

    epoch: int
    seen_at: datetime
    installation: str
    system_identifier: str | None
    database_oid: int
    timeline: int | None
    last_meeting_id: int
    newest: NewestTransition | None

    @classmethod
    def of(cls, seen: Sighting, *, installation: str, epoch: int, last_meeting_id: int = 0) -> Self:
        """The record of a sighting; `last_meeting_id`: one that was seen before, if the database is behind it."""
        return cls(
            epoch=epoch,
            seen_at=seen.at,
            installation=installation,
            system_identifier=seen.system_identifier,
            database_oid=seen.database_oid,
            timeline=seen.timeline,
            last_meeting_id=max(seen.last_meeting_id, last_meeting_id),
            newest=seen.newest,
        )

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Self:
        """The record in the data of a ConfigMap. Raises Unreadable."""
        try:
            found = _Data.model_validate(data)
        except ValidationError as exc:
            first = exc.errors(include_url=False, include_input=False)[0]
            raise Unreadable(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from exc
        newest = None
        if found.newest_meeting_id is not None and found.newest_seq is not None and found.newest_at is not None:
            newest = NewestTransition(meeting_id=found.newest_meeting_id, seq=found.newest_seq, at=found.newest_at)
        return cls(
            epoch=found.epoch,
            seen_at=found.seen_at,
            installation=str(found.installation),
            system_identifier=found.system_identifier,
            database_oid=found.database_oid,
            timeline=found.timeline,
            last_meeting_id=found.last_meeting_id,
            newest=newest,
        )

    def says_the_same(self, other: Self) -> bool:
        """True if only the time differs."""
        return replace(self, seen_at=other.seen_at) == other

    def next_epoch(self) -> Self:
        """The record after the database went back once more."""
        return replace(self, epoch=self.epoch + 1)

    def data(self) -> dict[str, str | None]:
        """The data of the ConfigMap; None removes what an older record had."""
        newest = self.newest
        values: dict[str, object] = {
            "installation": self.installation,
            "epoch": self.epoch,
            "seenAt": self.seen_at.isoformat(),
            "systemIdentifier": self.system_identifier,
            "databaseOid": self.database_oid,
            "timeline": self.timeline,
            "lastMeetingId": self.last_meeting_id,
            "newestMeetingId": newest.meeting_id if newest else None,
            "newestSeq": newest.seq if newest else None,
            "newestAt": newest.at.isoformat() if newest else None,
        }
        return {name: None if value is None else str(value) for name, value in values.items()}
