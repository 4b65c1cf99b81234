"""What kopf calls: the right thing, with a failure that waits for the next sweep, and settings of our own name."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import kopf
import pytest
from prometheus_client import REGISTRY

from tests.fakes.objects import COMPLETE, a_botrequest, a_job
from tests.fakes.settings import INSTALLATION
from usher_models.db.bots import Requested
from usher_models.errors import DatabaseUnavailable, KubernetesUnavailable
from usher_operator.kube.botrequest import BotRequest
from usher_operator.watch import handlers
from usher_operator.watch.in_flight import AT_ONCE, InFlight
from usher_operator.watch.processed_generations import ProcessedGenerations

Handler = Callable[..., Awaitable[None]]


class Ensurer:
    """Records what it is asked for; raises `error`, or hangs, when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.left: list[str] = []
        self.error: Exception | None = None
        self.hangs = False

    async def ensure(self, request: BotRequest) -> None:
        await self._note("ensure", request)

    def leave_to_leader(self, request: BotRequest) -> None:
        self.left.append(request.name)

    async def withdraw(self, request: BotRequest) -> None:
        await self._note("withdraw", request)

    async def _note(self, what: str, request: BotRequest) -> None:
        self.asked.append((what, request.name))
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error


class FinishedJob:
    """Records the Jobs it is shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    async def close(self, job: dict[str, Any]) -> None:
        self.shown.append(job["metadata"]["name"])


class Rows(ProcessedGenerations):
    """Knows the rows that it is given instead of a database's; raises `error` when told to."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.rows: dict[str, Requested] = {}
        self.error: Exception | None = None
        self.looks: list[int] = []

    async def _read_rows(self, connection_ids: list[str]) -> dict[str, Requested]:
        self.looks.append(len(connection_ids))
        if self.error is not None:
            raise self.error
        return self.rows


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def ensurer() -> Ensurer:
    return Ensurer()


@pytest.fixture
def finished_job() -> FinishedJob:
    return FinishedJob()


@pytest.fixture
def in_flight() -> InFlight:
    return InFlight()


class Lock:
    """Leads, or does not, as it is told."""

    def __init__(self) -> None:
        self.leads = True
        self.lease_s = 15.0
        self.gained = asyncio.Event()

    def lose(self) -> None:
        self.leads = False
        self.gained.clear()

    def gain(self) -> None:
        self.leads = True
        self.gained.set()


@pytest.fixture
def lock() -> Lock:
    return Lock()


@pytest.fixture
def registry(
    ensurer: Ensurer, finished_job: FinishedJob, rows: Rows, in_flight: InFlight, lock: Lock
) -> kopf.OperatorRegistry:
    return handlers.registry(
        ensurer,  # type: ignore[arg-type]
        finished_job,  # type: ignore[arg-type]
        processed=rows,
        in_flight=in_flight,
        installation=INSTALLATION,
        lock=lock,  # type: ignore[arg-type]
    )


@pytest.fixture
def registered(registry: kopf.OperatorRegistry) -> dict[str, Handler]:
    """The plain functions, by name: kopf's decorators return and keep them as they are."""
    return {str(handler.id).rpartition(".")[2]: handler.fn for handler in registry._watching.get_all_handlers()}  # type: ignore[misc]


def event(kind: str | None, body: Any) -> dict[str, Any]:
    return {"event": {"type": kind, "object": body}, "body": kopf.Body(body)}


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED"])
async def test_a_request_that_is_there_is_ensured(
    registered: dict[str, Handler], ensurer: Ensurer, kind: str | None
) -> None:
    await registered["request_seen"](**event(kind, a_botrequest("standup")))
    assert ensurer.asked == [("ensure", "standup")]


async def test_a_request_that_comes_back_with_nothing_but_its_status_is_carried_out_once(
    registered: dict[str, Handler], ensurer: Ensurer
) -> None:
    for kind in ("ADDED", "MODIFIED", "MODIFIED", None):
        await registered["request_seen"](**event(kind, a_botrequest("standup", generation=1)))
    assert ensurer.asked == [("ensure", "standup")]


async def test_a_change_of_the_spec_a_deletion_and_what_failed_before_are_carried_out_again(
    registered: dict[str, Handler], ensurer: Ensurer
) -> None:
    first, edited = (a_botrequest("standup", generation=generation) for generation in (1, 2))
    ensurer.error = DatabaseUnavailable()
    await registered["request_seen"](**event("ADDED", first))
    ensurer.error = None
    for kind, body in (("MODIFIED", first), ("MODIFIED", edited), ("DELETED", edited), ("ADDED", edited)):
        await registered["request_seen"](**event(kind, body))
    assert [what for what, _ in ensurer.asked] == ["ensure", "ensure", "ensure", "withdraw", "ensure"]


CARRIED_OUT = Requested(uid="u-1", generation=1, ended=False, job_created=True, leaving=False)


async def test_requests_that_were_carried_out_before_are_looked_up_together_and_left_alone(
    registered: dict[str, Handler], ensurer: Ensurer, rows: Rows
) -> None:
    rows.rows = {f"u-{number}": replace(CARRIED_OUT, uid=f"u-{number}") for number in range(40)}
    listed = [event(None, a_botrequest(f"standup-{number}", uid=f"u-{number}")) for number in range(40)]
    await asyncio.gather(*(registered["request_seen"](**one) for one in listed))
    await registered["request_seen"](**event("MODIFIED", a_botrequest("standup-7", uid="u-7")))
    assert (ensurer.asked, rows.looks) == ([], [40])


@pytest.mark.parametrize(
    ("row", "spec"),
    [
        (replace(CARRIED_OUT, uid="u-2"), {}),
        (replace(CARRIED_OUT, uid=None), {}),
        (replace(CARRIED_OUT, generation=0), {}),
        (replace(CARRIED_OUT, job_created=False), {}),
        (CARRIED_OUT, {"desiredState": "Left"}),
    ],
)
async def test_a_listed_request_of_which_something_is_left_is_carried_out(
    registered: dict[str, Handler], ensurer: Ensurer, rows: Rows, row: Requested, spec: dict[str, Any]
) -> None:
    rows.rows = {"u-1": row}
    await registered["request_seen"](**event(None, a_botrequest("standup", uid="u-1", **spec)))
    assert ensurer.asked == [("ensure", "standup")]


@pytest.mark.parametrize(
    "row", [replace(CARRIED_OUT, job_created=False, ended=True), replace(CARRIED_OUT, leaving=True)]
)
async def test_nothing_is_left_of_one_whose_bot_has_ended_or_was_told_to_leave(
    registered: dict[str, Handler], ensurer: Ensurer, rows: Rows, row: Requested
) -> None:
    rows.rows = {"u-1": row}
    await registered["request_seen"](**event(None, a_botrequest("standup", uid="u-1", desiredState="Left")))
    assert ensurer.asked == []


async def test_a_database_that_is_away_leaves_the_look_to_whoever_carries_it_out(
    registered: dict[str, Handler], ensurer: Ensurer, rows: Rows
) -> None:
    rows.error = DatabaseUnavailable()
    await registered["request_seen"](**event(None, a_botrequest("standup")))
    assert ensurer.asked == [("ensure", "standup")]


async def test_a_request_that_is_gone_is_withdrawn(registered: dict[str, Handler], ensurer: Ensurer) -> None:
    await registered["request_seen"](**event("DELETED", a_botrequest("standup")))
    assert ensurer.asked == [("withdraw", "standup")]


@pytest.mark.parametrize("error", [DatabaseUnavailable(), KubernetesUnavailable()])
async def test_what_cannot_be_done_now_is_logged_and_left_to_the_sweep(
    registered: dict[str, Handler], ensurer: Ensurer, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    ensurer.error = error
    await registered["request_seen"](**event("ADDED", a_botrequest("standup", uid="u-1")))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert (record.__dict__["action"], record.__dict__["request"]) == ("left_to_sweep", "bots/standup")
    assert str(error) in record.getMessage()


async def test_a_handler_that_hangs_lets_go_of_its_object(
    registered: dict[str, Handler],
    ensurer: Ensurer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handlers, "HANDLER_TIMEOUT_S", 0.01)
    ensurer.hangs = True
    await registered["request_seen"](**event("ADDED", a_botrequest()))
    assert caplog.records[0].getMessage() == "The next sweep repeats this: TimeoutError"


async def test_a_request_is_in_hand_from_its_arrival_until_it_was_carried_out_or_given_up(
    registered: dict[str, Handler], ensurer: Ensurer, in_flight: InFlight
) -> None:
    bodies = [a_botrequest(f"standup-{number}", uid=f"u-{number}") for number in range(AT_ONCE + 1)]
    ensurer.hangs = True
    seen = [asyncio.ensure_future(registered["request_seen"](**event("ADDED", body))) for body in bodies]
    for _ in range(3):
        await asyncio.sleep(0)  # each reaches what it waits for
    assert len(ensurer.asked) == AT_ONCE
    assert all(BotRequest.from_object(body) in in_flight for body in bodies)
    assert REGISTRY.get_sample_value("usher_requests_in_flight") == AT_ONCE + 1
    for one in seen:
        one.cancel()
    await asyncio.gather(*seen, return_exceptions=True)
    assert not any(BotRequest.from_object(body) in in_flight for body in bodies)
    assert REGISTRY.get_sample_value("usher_requests_in_flight") == 0


async def test_a_mistake_in_the_program_is_not_hidden(registered: dict[str, Handler], ensurer: Ensurer) -> None:
    ensurer.error = KeyError("a mistake")
    with pytest.raises(KeyError):
        await registered["request_seen"](**event("ADDED", a_botrequest()))


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED"])
async def test_a_job_that_changed_is_looked_at(
    registered: dict[str, Handler], finished_job: FinishedJob, kind: str | None
) -> None:
    await registered["job_seen"](**event(kind, a_job(condition=COMPLETE)))
    assert finished_job.shown == ["bot-1"]


async def test_a_job_that_runs_is_not_looked_at(registered: dict[str, Handler], finished_job: FinishedJob) -> None:
    await registered["job_seen"](**event("MODIFIED", a_job()))
    assert finished_job.shown == []


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED", None])
async def test_a_standby_leaves_a_request_to_the_leader(
    registered: dict[str, Handler], ensurer: Ensurer, lock: Lock, monkeypatch: pytest.MonkeyPatch, kind: str | None
) -> None:
    monkeypatch.setattr(handlers, "UNNOTICED_S", 0.0)
    lock.lose()
    lock.lease_s = 0.01
    await registered["request_seen"](**event(kind, a_botrequest("standup")))
    assert (ensurer.asked, ensurer.left) == ([], ["standup"])


async def test_a_standby_leaves_what_a_list_shows_to_the_sweep_and_holds_none_of_it(
    registered: dict[str, Handler], ensurer: Ensurer, lock: Lock
) -> None:
    lock.lose()
    lock.lease_s = 3600
    await registered["request_seen"](**event(None, a_botrequest("standup")))
    assert ensurer.asked == []


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("kind", "act"), [("ADDED", "ensure"), ("MODIFIED", "ensure"), ("DELETED", "withdraw")])
async def test_a_standby_handles_what_it_just_saw_when_it_begins_to_lead(
    registered: dict[str, Handler], ensurer: Ensurer, lock: Lock, kind: str, act: str
) -> None:
    lock.lose()
    seen = asyncio.ensure_future(registered["request_seen"](**event(kind, a_botrequest("standup"))))
    await settled()
    assert ensurer.asked == []
    lock.gain()
    await seen
    assert ensurer.asked == [(act, "standup")]


async def test_a_standby_that_begins_to_lead_repeats_nothing_that_the_leader_did(
    registered: dict[str, Handler], ensurer: Ensurer, lock: Lock, rows: Rows
) -> None:
    rows.rows = {"u-1": CARRIED_OUT}
    lock.lose()
    seen = asyncio.ensure_future(registered["request_seen"](**event("ADDED", a_botrequest("standup", uid="u-1"))))
    await settled()
    lock.gain()
    await seen
    assert (ensurer.asked, rows.looks) == ([], [1])


async def test_a_leader_that_was_stopped_for_longer_than_its_lease_does_nothing_when_it_wakes(
    registered: dict[str, Handler], ensurer: Ensurer, finished_job: FinishedJob, lock: Lock
) -> None:
    lock.gain()
    lock.leads = False
    await registered["request_seen"](**event("ADDED", a_botrequest("standup")))
    await registered["job_seen"](**event("MODIFIED", a_job(condition=COMPLETE)))
    assert (ensurer.asked, finished_job.shown) == ([], [])


async def test_a_standby_closes_a_meeting_whose_job_ended_when_it_begins_to_lead(
    registered: dict[str, Handler], finished_job: FinishedJob, lock: Lock
) -> None:
    lock.lose()
    seen = asyncio.ensure_future(registered["job_seen"](**event("MODIFIED", a_job(condition=COMPLETE))))
    await settled()
    assert finished_job.shown == []
    lock.gain()
    await seen
    assert finished_job.shown == ["bot-1"]


async def test_a_job_that_is_gone_proves_nothing(registered: dict[str, Handler], finished_job: FinishedJob) -> None:
    await registered["job_seen"](**event("DELETED", a_job(condition=COMPLETE)))
    assert finished_job.shown == []


def test_only_ushers_own_objects_are_watched(registry: kopf.OperatorRegistry) -> None:
    watched = {
        str(handler.id).rpartition(".")[2]: (handler.selector, handler.labels)
        for handler in registry._watching.get_all_handlers()
    }
    assert watched.keys() == {"request_seen", "job_seen"}
    selector, labels = watched["job_seen"]
    assert selector is not None
    assert (selector.group, selector.version, selector.any_name) == ("batch", "v1", "jobs")
    assert labels == {"app.kubernetes.io/managed-by": "usher", "usher.dev/installation": INSTALLATION}


def test_nothing_is_registered_that_costs_a_write_per_object(registry: kopf.OperatorRegistry) -> None:
    for costly in (registry._spawning, registry._changing, registry._indexing, registry._webhooks):
        assert list(costly.get_all_handlers()) == []


def test_kopf_leaves_no_name_but_ours_and_needs_no_right_on_the_cluster() -> None:
    settings = handlers.configure(kopf.OperatorSettings(), installation=INSTALLATION)
    assert settings.persistence.finalizer.startswith("usher.dev/")
    assert (settings.peering.standalone, settings.scanning.disabled) == (True, True)
    assert (settings.networking.request_timeout, settings.watching.server_timeout) == (30, 300)
    assert settings.queueing.worker_limit is None


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED", "DELETED"])
async def test_a_request_of_another_installation_is_left_alone(
    registered: dict[str, Handler], ensurer: Ensurer, kind: str | None
) -> None:
    await registered["request_seen"](**event(kind, a_botrequest("standup", status={"installation": "another"})))
    assert ensurer.asked == []
