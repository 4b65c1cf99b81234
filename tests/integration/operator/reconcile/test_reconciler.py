"""The loop: one process sweeps, a broken part stops no other, a restart does no harm, and the healthy are let be."""

import asyncio
import logging
import time
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.fakes.clock import FakeClock
from tests.fakes.publisher import RecordingPublisher
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario, a_meeting
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_models.errors import DatabaseUnavailable, KubernetesUnavailable
from usher_models.states import LEGACY_LIVE, Desired, Status
from usher_operator.reconcile import reconciler
from usher_operator.reconcile.failure_modes import FAILURE_MODES, FailureMode
from usher_operator.reconcile.sweep import Sweep


async def healthy_bots(plane: Plane, given: Scenario) -> list[Bot]:
    """One of each status, doing what it should."""
    makings = [
        given.a_bot().waited(200).with_job(),
        given.a_bot().with_job().starting().waited(500),
        given.a_bot().with_job().starting().active().waited(5000).beating(),
        given.a_bot().with_job().active().with_config(language="de").waited(30),
        given.a_bot().with_job().active().asked_to_leave().waited(30),
        given.a_bot().with_job().active().waited(600).stopping().waited(60),
    ]
    return [plane.in_kubernetes(await making) for making in makings]


async def leave_longer_ago(given: Scenario, seconds: float) -> None:
    await given.execute(
        "UPDATE usher.bots SET leave_requested_at = leave_requested_at - make_interval(secs => :ago)", ago=seconds
    )


async def reserved_longer_ago(given: Scenario, seconds: float) -> None:
    await given.execute(
        "UPDATE usher.bots SET reserved_at = reserved_at - make_interval(secs => :ago),"
        " job_created_at = job_created_at - make_interval(secs => :ago)",
        ago=seconds,
    )


async def test_the_healthy_are_left_alone(plane: Plane, given: Scenario, publisher: RecordingPublisher) -> None:
    await healthy_bots(plane, given)
    before = await given.everything()
    for _ in range(5):
        await plane.tick(after=100)
    assert await given.everything() == before
    assert (plane.kube.writes, publisher.published) == ([], [])


async def test_the_healthy_are_left_alone_while_the_api_server_comes_and_goes(plane: Plane, given: Scenario) -> None:
    await healthy_bots(plane, given)
    before = await given.everything()
    for away in (True, False, True, True, False):
        plane.kube.away = away
        await plane.tick(after=100)
    assert await given.everything() == before


async def test_the_healthy_are_left_alone_by_every_restart(plane: Plane, given: Scenario) -> None:
    await healthy_bots(plane, given)
    before = await given.everything()
    for _ in range(4):
        await plane.reconciler._lock.release()
        plane.reconciler = plane.a_reconciler()
        await plane.tick(after=100)
    assert await given.everything() == before
    assert plane.kube.writes == []


async def test_rows_of_an_older_deployment_are_never_written(plane: Plane, given: Scenario) -> None:
    user = await given.a_user()
    statuses = sorted([*LEGACY_LIVE, "reserved", "starting", "active", "stopping", "completed", "whatever"])
    ids = [await given.a_legacy_meeting(user, status=status) for status in statuses]
    await given.execute("UPDATE meetings SET created_at = '2020-01-01', updated_at = '2020-01-01', start_time = NULL")
    # A Job with the name and the label of such a row: an orphan, and no evidence.
    stranger = plane.in_kubernetes(await given.a_bot().with_job())
    plane.kube.jobs["bots", stranger.job_name]["metadata"]["labels"]["usher.dev/meeting-id"] = str(ids[0])
    await given.a_bot(user).with_job().active().waited(10_000)
    query = "SELECT string_agg(m::text, '|' ORDER BY id) FROM meetings m WHERE bot_container_id = 'legacy'"
    before = await given.scalar(query)
    assert before.count("|") == len(statuses) - 1
    for _ in range(4):
        await plane.tick(after=1000)
    assert await given.scalar(query) == before
    assert await given.scalar("SELECT count(*) FROM usher.transitions WHERE meeting_id = ANY(:ids)", ids=ids) == 0


async def test_an_overrun_bot_is_asked_then_killed_then_closed(
    plane: Plane, given: Scenario, publisher: RecordingPublisher
) -> None:
    user = await given.a_user(cap=1)
    bot = plane.in_kubernetes(
        await given.a_bot(user, max_duration_s=3600).with_job().starting().active().waited(3601).beating()
    )
    await plane.tick()
    asked = await given.fresh(bot)
    assert (asked.desired, asked.leave_reason) == (Desired.LEAVE, "max_duration_exceeded")
    assert publisher.actions(bot.connection_id) == ["leave"]

    await leave_longer_ago(given, plane.settings.leave_grace_s - 5)
    await plane.tick()
    assert ("bots", bot.job_name) in plane.kube.jobs
    await leave_longer_ago(given, 6)
    await plane.tick()
    assert plane.kube.jobs == {}
    assert (await given.fresh(bot)).status is Status.ACTIVE

    plane.kube.pod_gone(bot.job_name)
    await plane.tick()
    await plane.tick(after=plane.settings.reconcile_interval_s)
    ended = await given.fresh(bot)
    assert (ended.status, ended.reason) == (Status.FAILED, "leave_ignored")
    assert await given.slots_held(user) == 0
    assert publisher.actions(bot.connection_id) == ["leave"]


async def test_a_bot_within_its_duration_is_not_asked(
    plane: Plane, given: Scenario, publisher: RecordingPublisher
) -> None:
    plane.in_kubernetes(
        await given.a_bot(max_duration_s=3600).waited(1000).with_job().starting().active().waited(3595).beating()
    )
    await plane.tick()
    assert publisher.published == []


async def test_a_bots_ignoring_leave_job_is_deleted_once(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().asked_to_leave().waited(61).beating())
    plane.kube.jobs["bots", bot.job_name]["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    await plane.tick()
    assert plane.kube.writes == []


async def test_a_deaf_bot_may_still_say_goodbye(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().asked_to_leave().waited(61).beating())
    await plane.tick()
    assert plane.kube.writes_of("Job") == ["delete"]
    assert (await given.fresh(bot)).live


async def test_a_reservation_that_waited_for_its_job_while_usher_was_away_is_not_failed_for_it(
    plane: Plane, given: Scenario
) -> None:
    request = plane.a_request_of(await given.a_user())
    plane.kube.fail("create_job", KubernetesUnavailable())
    await plane.tick()
    bot = await plane.bot_of(request)
    assert bot is not None
    await reserved_longer_ago(given, 400)
    await plane.tick()
    assert len(plane.kube.jobs) == 1
    await plane.tick(after=10)
    assert (await given.fresh(bot)).status is Status.RESERVED
    await reserved_longer_ago(given, 301)
    await plane.tick()
    assert (await given.fresh(bot)).reason == "never_started"


async def test_only_one_of_two_reconcilers_sweeps(
    plane: Plane, given: Scenario, another_database: Database, clock: FakeClock
) -> None:
    first, user = plane.reconciler, await given.a_user()
    assert await first.tick()
    plane.use(another_database)
    second = plane.reconciler
    plane.a_request_of(user)
    assert not await second.tick()
    assert plane.kube.writes == []
    assert await first.tick()
    assert plane.kube.writes_of("Job") == ["create"]
    assert not await second.tick()


async def test_a_reconciler_that_lost_the_lead_waits_for_heartbeats_when_it_leads_again(
    plane: Plane, given: Scenario, another_database: Database, clock: FakeClock
) -> None:
    assert await plane.reconciler.tick()
    await plane.reconciler._lock.release()
    other = LeaderLock(another_database)
    assert await other.acquire()
    clock.advance(3600)
    assert not await plane.reconciler.tick()
    await other.release()
    bot = plane.in_kubernetes(await given.a_bot().with_job().starting().active().with_last_beat(ago=500))
    plane.in_kubernetes(await given.a_bot().with_job().starting().active())
    assert await plane.reconciler.tick()
    assert (await given.fresh(bot)).status is Status.ACTIVE
    await plane.tick(after=plane.settings.heartbeat_interval_s)
    assert (await given.fresh(bot)).status is Status.FAILED


async def test_the_second_takes_over_when_the_first_dies(
    plane: Plane, given: Scenario, another_database: Database
) -> None:
    first = plane.reconciler
    assert await first.tick()
    plane.use(another_database)
    assert not await plane.reconciler.tick()
    # Its connections are cut, as when its node is gone.
    await given.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    assert await plane.reconciler.tick()
    assert not await first.tick()
    await plane.reconciler._lock.release()
    assert await first.tick()


async def test_with_the_database_away_nothing_is_swept_and_nothing_raised(
    plane: Plane, no_database: Database, clock: FakeClock
) -> None:
    plane.use(no_database)
    clock.advance(5)
    assert not await plane.reconciler.tick()
    assert plane.reconciler.ticked_at == clock()
    assert (plane.kube.reads, plane.kube.writes) == (0, [])


def sweeps(outcome: str) -> float:
    return REGISTRY.get_sample_value("usher_sweeps_total", {"outcome": outcome}) or 0


def last_sweep() -> float:
    return REGISTRY.get_sample_value("usher_last_sweep_timestamp_seconds") or 0


async def test_a_sweep_that_was_done_is_counted_and_its_time_is_shown(plane: Plane) -> None:
    done = sweeps("done")
    before = time.time()
    await plane.tick()
    assert sweeps("done") == done + 1
    assert before <= last_sweep() <= time.time()


@pytest.mark.parametrize(
    ("error", "outcome", "level"),
    [(DatabaseUnavailable(), "postponed", logging.WARNING), (ZeroDivisionError(), "failed", logging.ERROR)],
)
async def test_a_sweep_that_breaks_is_counted_and_logged_and_is_no_sign_of_a_done_one(
    plane: Plane,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    outcome: str,
    level: int,
) -> None:
    async def breaking() -> None:
        raise error

    await plane.tick()
    counted, done, at = sweeps(outcome), sweeps("done"), last_sweep()
    monkeypatch.setattr(plane.reconciler, "sweep", breaking)
    await plane.tick()
    assert (sweeps(outcome), sweeps("done"), last_sweep()) == (counted + 1, done, at)
    (record,) = caplog.records
    assert (record.levelno, record.__dict__["action"]) == (level, f"sweep_{outcome}")


async def test_the_reconciler_sweeps_once_an_interval_and_gives_the_lead_back_when_it_ends(
    plane: Plane, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    began_at: list[float] = []
    seen = asyncio.Event()

    async def sweep() -> None:
        began_at.append(clock())
        clock.advance([0, 4, 25, 0][len(began_at) - 1])

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)
        if len(pauses) == 4:
            seen.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(plane.reconciler, "sweep", sweep)
    monkeypatch.setattr(plane.reconciler, "_pause", pause)
    running = asyncio.create_task(plane.reconciler.run())
    await asyncio.wait_for(seen.wait(), timeout=20)
    # An interval from begin to begin; a sweep that takes longer leaves the shortest pause.
    assert pauses == [10, 6, reconciler.SHORTEST_PAUSE_S, 10]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    other = plane.a_reconciler()
    assert await other.tick()


@pytest.mark.parametrize("error", [KubernetesUnavailable(), ZeroDivisionError()])
async def test_a_repair_that_meets_an_error_of_its_own_lets_the_sweep_be_done(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def breaking(_: Sweep) -> None:
        raise error

    monkeypatch.setattr(reconciler, "FAILURE_MODES", (FailureMode("broken", breaking),))
    done = sweeps("done")
    await plane.tick()
    assert sweeps("done") == done + 1


async def test_a_broken_failure_mode_does_not_stop_the_others(
    plane: Plane, given: Scenario, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_sweep: Sweep) -> None:
        raise ZeroDivisionError

    mode = FailureMode("broken", broken)
    monkeypatch.setattr(reconciler, "FAILURE_MODES", (mode, *FAILURE_MODES, mode))
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().with_last_beat(ago=121))
    await plane.tick()
    assert (await given.fresh(bot)).reason == "heartbeat_lost"
    actions = [record.__dict__["action"] for record in caplog.records if record.levelno == logging.ERROR]
    assert actions == ["repair_failed", "repair_failed"]


@pytest.mark.parametrize("mode", FAILURE_MODES, ids=[mode.name for mode in FAILURE_MODES])
async def test_every_failure_mode_does_without_the_api_server(
    plane: Plane, given: Scenario, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mode: FailureMode
) -> None:
    monkeypatch.setattr(reconciler, "FAILURE_MODES", (mode,))
    await healthy_bots(plane, given)
    plane.kube.away = True
    await plane.tick()
    assert [record.__dict__["action"] for record in caplog.records] == ["snapshot_failed"]


async def test_an_end_that_was_cut_off_before_its_job_was_deleted_is_finished_by_the_next_process(
    plane: Plane, given: Scenario
) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().with_last_beat(ago=121))
    plane.kube.fail("delete_job", KubernetesUnavailable())
    await plane.tick()
    assert (await given.fresh(bot)).status is Status.FAILED
    assert ("bots", bot.job_name) in plane.kube.jobs
    await plane.reconciler._lock.release()
    plane.reconciler = plane.a_reconciler()
    await plane.tick()
    await plane.tick(after=plane.settings.orphan_grace_s)
    assert plane.kube.jobs == {}


async def test_every_ending_of_a_sweep_has_a_reason_a_sentence_and_a_line_in_the_story(
    plane: Plane, given: Scenario
) -> None:
    makings: list[Any] = [
        given.a_bot().with_job().waited(301),
        given.a_bot(lobby_timeout_s=60).with_job().starting().waited(601),
        given.a_bot().with_job().active().with_last_beat(ago=121),
        given.a_bot().with_job().active().stopping().waited(301),
    ]
    bots = [plane.in_kubernetes(await making) for making in makings]
    await plane.tick()
    for bot in bots:
        ended, line = await given.fresh(bot), (await given.story(bot))[-1]
        assert ended.reason == line.reason
        assert ended.message.endswith(".")
        assert (line.target, line.source) == ("failed", "reconciler")
        assert line.detail["pod"] == f"{bot.job_name}-abcde"


async def test_slots_freed_by_a_sweep_are_free_for_the_requests_of_the_same_sweep(
    plane: Plane, given: Scenario
) -> None:
    user, meeting = await given.a_user(cap=1), a_meeting()
    plane.in_kubernetes(await given.a_bot(user, meeting=meeting).with_job().active().with_last_beat(ago=121))
    body = plane.a_request_of(user, "again", nativeMeetingId=meeting.native_id)
    await plane.tick()
    bot = await plane.bot_of(body)
    assert bot is not None
    assert bot.live
