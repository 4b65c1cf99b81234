"""Kubernetes Events, and the budget: at most six API writes in a bot's life, whatever its course."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.bots import RESERVED_AT, a_bot_row
from tests.fakes.kube import FakeKube
from tests.fakes.objects import a_botrequest
from tests.fakes.settings import INSTALLATION
from usher_models.db.bots import Bot
from usher_models.states import TERMINAL, Status
from usher_operator.kube.botrequest_status import status_of
from usher_operator.kube.events import event
from usher_operator.watch.status_writer import event_for

HOLD_S = 5
BUDGET = 6


def ended(status: Status, *, shown: Status, **fields: Any) -> Bot:
    past = {"status": status, "written_status": shown, "ended_at": RESERVED_AT, "joined_at": RESERVED_AT}
    return a_bot_row(**past | fields)


def test_an_event_names_its_request_and_is_one_that_kubernetes_takes() -> None:
    told = event(
        namespace="bots", name="standup", uid="u", kind="Warning", reason="NoBeat", message="Gone.", now=RESERVED_AT
    )
    assert (told["apiVersion"], told["kind"], told["type"], told["reason"]) == ("v1", "Event", "Warning", "NoBeat")
    about = told["involvedObject"]
    assert (about["kind"], about["namespace"], about["name"], about["uid"]) == ("BotRequest", "bots", "standup", "u")
    assert told["metadata"]["namespace"] == about["namespace"]
    assert told["firstTimestamp"] == told["lastTimestamp"] == "2026-01-01T12:00:00Z"


def test_what_is_said_once_has_one_name_for_each_request() -> None:
    fields: dict[str, Any] = {"namespace": "bots", "name": "standup", "kind": "Warning", "reason": "CapReached"}
    names = {
        (uid, once): {
            event(**fields, uid=uid, message="No.", now=RESERVED_AT, once=once)["metadata"]["name"] for _ in range(2)
        }
        for uid in ("u-1", "u-2")
        for once in ("refused/1", "refused/2")
    }
    assert all(len(found) == 1 for found in names.values())
    assert len(set.union(*names.values())) == 4


def test_the_name_of_an_event_is_its_own_and_short_enough() -> None:
    def one() -> dict[str, Any]:
        return event(namespace="b", name="n" * 253, uid="u", kind="Normal", reason="R", message="m", now=RESERVED_AT)

    assert len(one()["metadata"]["name"]) <= 253
    assert one()["metadata"]["name"] != one()["metadata"]["name"]


def test_a_long_message_of_an_event_is_cut() -> None:
    told = event(namespace="b", name="n", uid="u", kind="Normal", reason="R", message="m" * 5000, now=RESERVED_AT)
    assert len(told["message"]) == 1024


def test_a_quick_arrival_has_an_event() -> None:
    bot = a_bot_row(status=Status.ACTIVE, reason="joined", written_status="reserved")
    told = event_for(bot, now=RESERVED_AT)
    assert told is not None
    assert (told["type"], told["reason"]) == ("Normal", "Joined")


def test_an_arrival_after_a_start_that_was_shown_has_none() -> None:
    assert event_for(a_bot_row(status=Status.ACTIVE, written_status="starting"), now=RESERVED_AT) is None


def test_an_end_after_a_departure_that_was_shown_has_none() -> None:
    assert event_for(ended(Status.COMPLETED, shown=Status.STOPPING), now=RESERVED_AT) is None


@pytest.mark.parametrize("status", [Status.RESERVED, Status.STARTING, Status.STOPPING])
def test_what_passes_has_no_event(status: Status) -> None:
    assert event_for(a_bot_row(status=status), now=RESERVED_AT) is None


@pytest.mark.parametrize(("status", "kind"), [(Status.COMPLETED, "Normal"), (Status.FAILED, "Warning")])
def test_the_end_has_an_event_and_a_failure_is_a_warning(status: Status, kind: str) -> None:
    told = event_for(ended(status, shown=Status.ACTIVE, reason="heartbeat_lost", message="Silent."), now=RESERVED_AT)
    assert told is not None
    assert (told["type"], told["reason"]) == (kind, "HeartbeatLost")
    assert told["message"] == f"Meeting 1 is {status}: Silent."


def test_the_same_status_shown_again_has_no_second_event() -> None:
    assert event_for(ended(Status.FAILED, shown=Status.FAILED), now=RESERVED_AT) is None


# The course of a life: which statuses, in which order, and how many seconds each lasts.
COURSES = st.tuples(
    st.lists(st.sampled_from([Status.STARTING, Status.ACTIVE, Status.STOPPING]), unique=True).map(
        lambda passed: sorted(passed, key=list(Status).index)
    ),
    st.lists(st.floats(0, 60), min_size=4, max_size=4),
    st.sampled_from(sorted(TERMINAL)),
)


class Life:
    """A row that moves, and a mirror that looks at it once a second, by the rules of the real one."""

    def __init__(self, kube: FakeKube) -> None:
        self.kube = kube
        self.bot = a_bot_row()
        self.now = RESERVED_AT

    async def begin(self) -> None:
        self.kube.apply(a_botrequest())
        await self.kube.create_job("bots", {"metadata": {"name": self.bot.job_name}})
        self.bot = replace(self.bot, job_created_at=self.now, revision=self.bot.revision + 1)

    async def move(self, status: Status) -> None:
        times = {Status.STARTING: {"started_at": self.now}, Status.ACTIVE: {"joined_at": self.now}}
        change: dict[str, Any] = times.get(status, {"ended_at": self.now} if status in TERMINAL else {})
        self.bot = replace(
            self.bot, status=status, status_changed_at=self.now, revision=self.bot.revision + 1, **change
        )

    async def last(self, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now += timedelta(seconds=1)
            if self._due():
                await self._show()

    def _due(self) -> bool:
        """`unwritten_bots`, in Python; the query itself is tested on Postgres."""
        bot = self.bot
        at_once = bot.status in (Status.RESERVED, Status.ACTIVE) or bot.ended_at is not None
        lasted = bot.status_changed_at < self.now - timedelta(seconds=HOLD_S)
        return bot.revision > bot.written_revision and (at_once or lasted)

    async def _show(self) -> None:
        """`StatusWriter._show`."""
        await self.kube.patch_request_status(
            "bots", "standup", status_of(self.bot, installation=INSTALLATION), uid=str(self.bot.request_uid)
        )
        told = event_for(self.bot, now=self.now)
        if told is not None:
            await self.kube.create_event("bots", told)
        self.bot = replace(self.bot, written_revision=self.bot.revision, written_status=self.bot.status)


@given(course=COURSES)
async def test_no_life_costs_more_than_six_writes(course: tuple[list[Status], list[float], Status]) -> None:
    passed, lasting, end = course
    kube = FakeKube()
    life = Life(kube)
    await life.begin()
    await life.last(lasting[0])
    for status, seconds in zip(passed, lasting[1:], strict=False):
        await life.move(status)
        await life.last(seconds)
    await life.move(end)
    await life.last(2)
    assert len(kube.writes) <= BUDGET, kube.writes
    assert kube.status("standup")["phase"] == end


async def test_a_quick_life_costs_six_writes_and_two_of_them_are_events() -> None:
    kube = FakeKube()
    life = Life(kube)
    await life.begin()
    await life.last(2)
    for status, seconds in ((Status.STARTING, 2), (Status.ACTIVE, 600), (Status.STOPPING, 1), (Status.COMPLETED, 2)):
        await life.move(status)
        await life.last(seconds)
    assert (len(kube.writes), kube.writes_of("Event")) == (6, ["create", "create"])
