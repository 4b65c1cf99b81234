"""The parts of listed objects that are kept: the shapes below, and nothing else.

A sweep holds every BotRequest, Job and pod, and most of each is managed fields and pod templates. pydantic makes Python
objects of the fields of a shape and skips the rest, in a quarter of the time and memory that parsing all of it takes.
"""

from typing import Any

from pydantic import TypeAdapter
from typing_extensions import TypedDict

Json = dict[str, Any]


class Owner(TypedDict, total=False):
    """An object that another belongs to."""

    uid: str


class Metadata(TypedDict, total=False):
    """The identity of an object."""

    name: str
    namespace: str
    uid: str
    generation: int
    creationTimestamp: str
    deletionTimestamp: str
    labels: dict[str, str]
    annotations: dict[str, str]
    ownerReferences: list[Owner]


class Placement(TypedDict, total=False):
    """Where a pod runs."""

    nodeName: str


class Workload(TypedDict, total=False):
    """A Job or a pod."""

    metadata: Metadata
    spec: Placement
    status: Json


class Condition(TypedDict, total=False):
    """A condition of a BotRequest, without its sentence."""

    type: str
    status: str
    observedGeneration: int


class RequestStatus(TypedDict, total=False):
    """The part of a BotRequest's status that is used."""

    phase: str
    reason: str
    meetingId: int
    observedGeneration: int
    installation: str
    conditions: list[Condition]


class Request(TypedDict, total=False):
    """A BotRequest."""

    metadata: Metadata
    spec: Json
    status: RequestStatus


class Event(TypedDict, total=False):
    """A Kubernetes Event."""

    type: str | None
    reason: str | None
    message: str | None
    count: int | None
    firstTimestamp: str | None
    lastTimestamp: str | None
    eventTime: str | None


# `continue` is a keyword of Python.
PageMetadata = TypedDict("PageMetadata", {"continue": str}, total=False)


class WorkloadPage(TypedDict, total=False):
    """A page of Jobs or pods."""

    metadata: PageMetadata
    items: list[Workload] | None


class RequestPage(TypedDict, total=False):
    """A page of BotRequests."""

    metadata: PageMetadata
    items: list[Request] | None


class EventPage(TypedDict, total=False):
    """A page of Events."""

    metadata: PageMetadata
    items: list[Event] | None


WORKLOADS: TypeAdapter[Any] = TypeAdapter(WorkloadPage)
REQUESTS: TypeAdapter[Any] = TypeAdapter(RequestPage)
EVENTS: TypeAdapter[Any] = TypeAdapter(EventPage)
