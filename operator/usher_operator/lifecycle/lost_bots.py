"""Which bots run without a row, and why one of them cannot have its row back. Pure functions.

The sweep and `usher adopt` look with the same eyes.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from usher_models.db.adoptions import Obstacle
from usher_models.db.known_ids import MOST_ID
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job_status import (
    connection_id_of,
    finished,
    installation_of,
    is_of,
    meeting_id_of,
    user_id_of,
)
from usher_operator.kube.port import Json


class Left(StrEnum):
    """Why a Job without a row is left as it is."""

    REQUEST_GONE = "request_gone"
    REQUEST_DELETED = "request_deleted"
    REQUEST_OVER = "request_over"
    NOT_OF_REQUEST = "not_of_request"
    JOB_DELETED = "job_deleted"
    ID_UNKNOWN = "id_unknown"
    REQUEST_INVALID = "request_invalid"


SENTENCES: dict[str, str] = {
    Left.REQUEST_GONE: "Its BotRequest is gone: nobody owns it, and operate deletes the Job.",
    Left.REQUEST_DELETED: "Its BotRequest is being deleted, and the Job with it.",
    Left.REQUEST_OVER: "Its BotRequest shows that it is over.",
    Left.NOT_OF_REQUEST: "The Job was not made for the BotRequest of that connection id.",
    Left.JOB_DELETED: "The Job is being deleted.",
    Left.ID_UNKNOWN: "The Job's labels name no meeting or no user.",
    Left.REQUEST_INVALID: "The spec of its BotRequest is not valid any more.",
    Obstacle.USER_UNKNOWN: "The database does not have its user: restore or create the user with the same id.",
    Obstacle.CONNECTION_TAKEN: "Its connection id belongs to another row.",
    Obstacle.MEETING_OVER: "The database says that its meeting is over.",
    Obstacle.ID_TAKEN: "Another meeting got its id.",
    Obstacle.PLACE_TAKEN: "Its user has another live row in the same meeting.",
}


@dataclass(frozen=True, kw_only=True)
class LostBot:
    """A Job of this installation without a row. `left`: why it cannot be adopted, as far as Kubernetes shows."""

    job: Json
    request: BotRequest | None
    left: Left | None

    @property
    def user_id(self) -> int | None:
        """Whose bot it is."""
        return user_id_of(self.job)

    @property
    def runs(self) -> bool:
        """True if the Job has not ended."""
        return not finished(self.job)


def of_installation(jobs: Iterable[Json], installation: str) -> list[Json]:
    """Those Jobs that this installation made."""
    return [job for job in jobs if installation_of(job) == installation]


def without_row(
    jobs: Iterable[Json], requests: Mapping[str, BotRequest], *, rows: Collection[str]
) -> Iterator[LostBot]:
    """The Jobs whose connection id is not among `rows`. `requests` by connection id."""
    for job in jobs:
        connection_id = connection_id_of(job)
        if connection_id is not None and connection_id not in rows:
            request = requests.get(connection_id)
            yield LostBot(job=job, request=request, left=_left(job, request))


def highest_ids(jobs: Iterable[Json], requests: Iterable[BotRequest]) -> tuple[int, int]:
    """The highest id of a meeting, and of a user, that Kubernetes shows and that can be believed."""
    jobs = list(jobs)
    meetings = [meeting_id_of(job) for job in jobs] + [request.meeting_id for request in requests]
    return _highest(meetings), _highest(map(user_id_of, jobs))


def _highest(ids: Iterable[int | None]) -> int:
    return max((each for each in ids if each is not None and each <= MOST_ID), default=0)


def _left(job: Json, request: BotRequest | None) -> Left | None:
    if request is None:
        return Left.REQUEST_GONE
    signs = (
        (Left.JOB_DELETED, "deletionTimestamp" in job["metadata"]),
        (Left.REQUEST_DELETED, request.deleting),
        (Left.REQUEST_OVER, request.over),
        (Left.NOT_OF_REQUEST, not is_of(job, request)),
        (Left.ID_UNKNOWN, meeting_id_of(job) is None or user_id_of(job) is None),
    )
    return next((sign for sign, is_there in signs if is_there), None)
