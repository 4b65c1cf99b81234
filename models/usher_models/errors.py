"""Every error of Usher as one tree. The docstring of a class is its message for people.

    UsherError
    ├── InvalidMeeting          invalid_meeting            the platform, id or link does not name a meeting
    ├── InvalidInput            invalid_input              a request with invalid fields; `errors` lists them
    ├── NotStorable             not_storable               a value that the database cannot store
    ├── NotFound                not_found                  no such object, or it belongs to another user
    ├── Conflict                                           a request that conflicts with the current state
    │   ├── NotOwned            not_owned                  a live row of an older deployment, which Usher never changes
    │   ├── MeetingEnded        meeting_ended
    │   └── MeetingLive         meeting_live
    ├── Refused                                            a request without a slot; no row is left behind
    │   ├── UnknownUser         unknown_user
    │   ├── CapReached          cap_reached
    │   ├── DuplicateMeeting    duplicate_meeting
    │   └── ConnectionTaken     connection_taken           the connection id belongs to another user's bot
    ├── CallbackRejected                                   a callback that could not be applied
    │   ├── UnknownConnection   unknown_connection
    │   ├── IllegalMove         illegal_move
    │   ├── AnotherPodSpeaks    another_pod_speaks
    │   └── MeetingOver         meeting_over               the bot must exit
    ├── Unauthorized            unauthorized               no valid token
    ├── Forbidden               forbidden                  a valid token without this permission
    ├── DatabaseUnfit           database_unfit             the database cannot be used as it was created
    └── Unavailable                                        a retry may succeed
        ├── RowUnreadable       row_unreadable             a meeting has a status that Usher does not know
        ├── RowMissing          row_missing                a bot speaks, or runs, whose row is not there
        ├── DatabaseWentBack    database_went_back         bots that the database has lost are being adopted
        ├── ForeignDatabase     foreign_database           the database belongs to another installation
        ├── DatabaseUnavailable database_unavailable
        │   ├── DatabaseBusy    database_busy              a lock or a connection did not become free in time
        │   ├── DatabaseNotReady database_not_ready        it cannot write, or its schema is missing or too old
        │   └── DatabaseForbids database_forbids           the database role lacks a privilege
        ├── KubernetesUnavailable kubernetes_unavailable
        ├── RedisUnavailable    redis_unavailable
        └── NotLeading          not_leading                another process leads; this one must not write

`code` is stable and for programs; `str(error)` is the sentence for people.
"""

from typing import Any, ClassVar


class UsherError(Exception):
    """An internal error occurred."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.summary())

    @classmethod
    def summary(cls) -> str:
        """The sentence of this kind of error, without the particulars of one."""
        return (cls.__doc__ or cls.code).strip()


class InvalidMeeting(UsherError):
    """The platform, id or link does not name a meeting."""

    code = "invalid_meeting"

    def __init__(self, message: str | None = None, *, field: str = "nativeMeetingId") -> None:
        super().__init__(message)
        self.field = field


class InvalidInput(UsherError):
    """The request is not valid."""

    code = "invalid_input"

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__()
        self.errors = errors


class NotStorable(UsherError):
    """A value cannot be stored: it is too large or contains a character that the database does not support."""

    code = "not_storable"


class NotFound(UsherError):
    """Not found."""

    code = "not_found"


class Conflict(UsherError):
    """Conflicts with the current state."""

    code = "conflict"


class NotOwned(Conflict):
    """The meeting was started by an older deployment, and Usher does not change it while it is live."""

    code = "not_owned"


class MeetingEnded(Conflict):
    """The meeting has ended."""

    code = "meeting_ended"


class MeetingLive(Conflict):
    """The meeting still has a bot. Stop the bot first."""

    code = "meeting_live"


class Refused(UsherError):
    """The request was rejected."""

    code = "refused"


class UnknownUser(Refused):
    """The user does not exist."""

    code = "unknown_user"


class CapReached(Refused):
    """Maximum concurrent bots limit reached."""

    code = "cap_reached"

    def __init__(self, *, limit: int, used: int) -> None:
        super().__init__(f"Maximum concurrent bots limit reached ({limit}); {used} in use.")
        self.limit = limit
        self.used = used


class DuplicateMeeting(Refused):
    """The user already has a live bot in this meeting."""

    code = "duplicate_meeting"

    def __init__(self, *, meeting_id: int | None) -> None:
        which = f"meeting {meeting_id}" if meeting_id is not None else "a planned meeting"
        super().__init__(f"The user already has a live bot in this meeting ({which}).")
        self.meeting_id = meeting_id


class ConnectionTaken(Refused):
    """The connection id belongs to a bot of another user."""

    code = "connection_taken"


class CallbackRejected(UsherError):
    """The callback could not be applied."""

    code = "callback_rejected"


class UnknownConnection(CallbackRejected):
    """No meeting has this connection id."""

    code = "unknown_connection"


class IllegalMove(CallbackRejected):
    """The meeting's status does not allow this move."""

    code = "illegal_move"


class AnotherPodSpeaks(CallbackRejected):
    """Another pod already speaks for this meeting."""

    code = "another_pod_speaks"


class MeetingOver(CallbackRejected):
    """The meeting is over; the bot must exit."""

    code = "meeting_over"

    def __init__(self, *, meeting_id: int, status: str) -> None:
        super().__init__(f"Meeting {meeting_id} is over ({status}); the bot must exit.")
        self.meeting_id = meeting_id
        self.status = status


class Unauthorized(UsherError):
    """The token is missing, malformed, expired or not signed by this cluster."""

    code = "unauthorized"


class Forbidden(UsherError):
    """The token is valid, but not for this meeting."""

    code = "forbidden"


class DatabaseUnfit(UsherError):
    """The database cannot be used as it was created."""

    code = "database_unfit"


class Unavailable(UsherError):
    """A service that Usher depends on is unavailable. Try again later."""

    code = "unavailable"


class RowUnreadable(Unavailable):
    """A meeting has a status that Usher does not know."""

    code = "row_unreadable"


class RowMissing(Unavailable):
    """The database has no row of this bot; it is put back when the bot's Job is found."""

    code = "row_missing"


class DatabaseWentBack(Unavailable):
    """The database went back in time, and bots that it has lost are being put back. Try again in a minute."""

    code = "database_went_back"


class IdsBehind(DatabaseWentBack):
    """The database went back in time: the ids of its meetings are behind those that were given out. Try again in a
    minute."""


class ForeignDatabase(Unavailable):
    """The database belongs to another Usher installation; nothing of this one is touched until its own is back."""

    code = "foreign_database"


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached. Try again later."""

    code = "database_unavailable"


class DatabaseBusy(DatabaseUnavailable):
    """The database is busy. Try again later."""

    code = "database_busy"


class DatabaseNotReady(DatabaseUnavailable):
    """The database cannot be used yet. Try again later."""

    code = "database_not_ready"


class DatabaseForbids(DatabaseUnavailable):
    """The database role lacks a privilege."""

    code = "database_forbids"


class KubernetesUnavailable(Unavailable):
    """The Kubernetes API cannot be reached. Try again later."""

    code = "kubernetes_unavailable"


class RedisUnavailable(Unavailable):
    """Redis cannot be reached. Commands travel in the replies to callbacks."""

    code = "redis_unavailable"


class NotLeading(Unavailable):
    """This process is not the leader and must not write."""

    code = "not_leading"
