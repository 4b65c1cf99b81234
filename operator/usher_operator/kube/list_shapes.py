"""What is kept of a list's objects: the shapes below, and nothing else.

A sweep holds every BotRequest, Job and pod there is, and most of each is who wrote which field and how a pod was asked
for. pydantic makes Python objects of what a shape names and passes over the rest, in a quarter of the time and memory
that parsing all of it takes.
"""

from typing import Any

from pydantic import TypeAdapter
from typing_extensions import TypedDict

Json = dict[str, Any]


class Metadata(TypedDict, total=False):
    """Who an object is."""

    name: str
    namespace: str
    uid: str
    generation: int
    creationTimestamp: str
    deletionTimestamp: str
    labels: dict[str, str]
    annotations: dict[str, str]


class Placement(TypedDict, total=False):
    """Where a pod runs."""

    nodeName: str


class Workload(TypedDict, total=False):
    """A Job or a pod."""

    metadata: Metadata
    spec: Placement
    status: Json


class Condition(TypedDict, total=False):
    """A condition of a BotRequest; its sentence is for people."""

    type: str
    status: str
    observedGeneration: int


class Shown(TypedDict, total=False):
    """What a BotRequest shows of what is asked later."""

    phase: str
    conditions: list[Condition]


class Request(TypedDict, total=False):
    """A BotRequest."""

    metadata: Metadata
    spec: Json
    status: Shown


class Event(TypedDict, total=False):
    """A Kubernetes Event."""

    reason: str | None
    message: str | None


# The key that says where a list goes on is a word of Python.
Place = TypedDict("Place", {"continue": str}, total=False)


class WorkloadPage(TypedDict, total=False):
    """A page of Jobs or pods."""

    metadata: Place
    items: list[Workload] | None


class RequestPage(TypedDict, total=False):
    """A page of BotRequests."""

    metadata: Place
    items: list[Request] | None


class EventPage(TypedDict, total=False):
    """A page of Events."""

    metadata: Place
    items: list[Event] | None


WORKLOADS: TypeAdapter[Any] = TypeAdapter(WorkloadPage)
REQUESTS: TypeAdapter[Any] = TypeAdapter(RequestPage)
EVENTS: TypeAdapter[Any] = TypeAdapter(EventPage)
