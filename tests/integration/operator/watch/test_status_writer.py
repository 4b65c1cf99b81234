"""What a BotRequest shows, when, and at what price."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.fakes.objects import a_botrequest
from tests.fakes.settings import INSTALLATION
from tests.integration.operator.plane import Plane
from tests.scenario import USUAL_REASONS, BotInTheMaking, Scenario, speaker_of
from usher_models.db import status_writes
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.transitions import Report, report
from usher_models.errors import DatabaseUnavailable, KubernetesUnavailable
from usher_models.states import Source, Stage, Status
from usher_operator.kube.botrequest import BotRequest
from usher_operator.watch import status_writer
from usher_operator.watch.in_flight import BACKLOG

Past = Callable[[Scenario], BotInTheMaking]


def shown_in(plane: Plane, bot: Bot) -> str | None:
    phase: str | None = plane.kube.status(str(bot.request_name)).get("phase")
    return phase


def with_request(plane: Plane, bot: Bot) -> Bot:
    """The bot, with its BotRequest in Kubernetes."""
    plane.kube.apply(a_botrequest(str(bot.request_name), uid=bot.request_uid, connectionId=bot.connection_id))
    return bot


async def run_until(plane: Plane, enough: Callable[[], bool], *, interval_s: float) -> None:
    """Run the mirror's loop until, when an Event has been posted, it is `enough`."""
    told, create_event = asyncio.Event(), plane.kube.create_event

    async def telling(namespace: str, event: dict[str, object]) -> None:
        await create_event(namespace, event)
        if enough():
            told.set()

    plane.kube.create_event = telling  # type: ignore[method-assign]
    running = asyncio.create_task(plane.status_writer.run(interval_s))
    async with asyncio.timeout(5):
        await told.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def reserved(given: Scenario) -> BotInTheMaking:
    return given.a_bot().with_job()


AT_ONCE = [
    pytest.param(lambda given: reserved(given), "reserved", [], id="reserved, with its Job"),
    pytest.param(lambda given: reserved(given).written().active(), "active", ["Joined"], id="active"),
    pytest.param(lambda given: reserved(given).active().written().completed(), "completed", ["Left"], id="completed"),
    pytest.param(
        lambda given: reserved(given).active().written().failed(by=Source.RECONCILER, reason="heartbeat_lost"),
        "failed",
        ["HeartbeatLost"],
        id="failed",
    ),
]


@pytest.mark.parametrize(("past", "phase", "events"), AT_ONCE)
async def test_what_a_person_waits_for_is_shown_at_once(
    plane: Plane, given: Scenario, past: Past, phase: str, events: list[str]
) -> None:
    bot = with_request(plane, await past(given))
    assert await plane.status_writer.write_changes() == 1
    assert shown_in(plane, bot) == phase
    assert [event["reason"] for event in plane.kube.events] == events


@pytest.mark.parametrize("status", [Status.STARTING, Status.STOPPING])
async def test_what_passes_is_shown_only_when_it_lasts(plane: Plane, given: Scenario, status: Status) -> None:
    quick = with_request(plane, await reserved(given).written().moved(status))
    slow = with_request(
        plane, await reserved(given).written().moved(status).waited(plane.settings.status_write_delay_s + 1)
    )
    assert await plane.status_writer.write_changes() == 1
    assert (shown_in(plane, quick), shown_in(plane, slow)) == (None, status)


async def test_a_reservation_is_shown_together_with_its_job(plane: Plane, given: Scenario) -> None:
    with_request(plane, await given.a_bot())
    assert await plane.status_writer.write_changes() == 0


async def test_what_is_shown_is_not_shown_again(plane: Plane, given: Scenario) -> None:
    with_request(plane, await reserved(given).active())
    assert [await plane.status_writer.write_changes() for _ in range(3)] == [1, 0, 0]
    assert len(plane.kube.writes) == 2


async def test_a_stage_is_no_reason_to_write(plane: Plane, given: Scenario) -> None:
    with_request(plane, await reserved(given).active().written().in_stage(Stage.LEAVING).beating())
    assert await plane.status_writer.write_changes() == 0


async def test_a_row_without_a_request_is_shown_nowhere(plane: Plane, given: Scenario) -> None:
    await given.a_bot(request_name=None, request_uid=None).active()
    assert await plane.status_writer.write_changes() == 0
    assert plane.kube.writes == []


async def test_the_history_comes_with_the_writes_that_are_made_anyway(plane: Plane, given: Scenario) -> None:
    """Of a life with every status, those that passed quickly included, three are written."""
    life = given.a_bot().with_job()
    bot = with_request(plane, await life)
    for _ in range(2):
        await plane.status_writer.write_changes()
    assert [line["to"] for line in plane.kube.status(str(bot.request_name))["history"]] == ["reserved"]
    for status in (Status.STARTING, Status.ACTIVE, Status.STOPPING, Status.FAILED):
        await said(given, bot, status)
        await plane.status_writer.write_changes()
    history = plane.kube.status(str(bot.request_name))["history"]
    assert [(line.get("from"), line["to"], line["source"], line["reason"]) for line in history] == [
        (None, "reserved", "api", "Requested"),
        ("reserved", "starting", "bot", "Started"),
        ("starting", "active", "bot", "Joined"),
        ("active", "stopping", "bot", "Leaving"),
        ("stopping", "failed", "bot", "ExitCode1"),
    ]
    assert [line.get("fault") for line in history] == [None, None, None, None, "bot"]
    assert plane.kube.writes_of("BotRequest") == ["patch"] * 3


async def test_the_history_keeps_what_a_bot_said_of_its_end_to_itself(plane: Plane, given: Scenario) -> None:
    bot = with_request(plane, await reserved(given).active())
    await said(given, bot, Status.FAILED, detail={"detail": "the passcode was s3cr3t"})
    await plane.status_writer.write_changes()
    assert "s3cr3t" not in str(plane.kube.status(str(bot.request_name)))


async def said(given: Scenario, bot: Bot, status: Status, *, detail: dict[str, object] | None = None) -> None:
    """The bot reported that status."""
    told = Report(
        connection_id=bot.connection_id,
        target=status,
        reason=USUAL_REASONS[status],
        speaker=speaker_of(bot),
        detail=detail or {},
    )
    async with given.database.transaction() as connection:
        assert (await report(connection, told)).applied


async def test_a_request_that_is_gone_counts_as_shown_and_has_no_event(plane: Plane, given: Scenario) -> None:
    bot = await reserved(given).active().failed(by=Source.RECONCILER)
    assert await plane.status_writer.write_changes() == 1
    assert plane.kube.events == []
    assert (await given.fresh(bot)).written_status == "failed"
    assert await plane.status_writer.write_changes() == 0


async def test_what_could_not_be_shown_is_shown_later(plane: Plane, given: Scenario) -> None:
    bot = with_request(plane, await reserved(given).active())
    plane.kube.fail("patch_request_status", KubernetesUnavailable())
    with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
        await plane.status_writer.write_changes()
    assert shown_in(plane, bot) is None
    assert await plane.status_writer.write_changes() == 1
    assert shown_in(plane, bot) == "active"


async def test_a_lost_reply_costs_one_more_write_and_nothing_else(plane: Plane, given: Scenario) -> None:
    bot = with_request(plane, await reserved(given).active())
    plane.kube.fail("patch_request_status", KubernetesUnavailable(), late=True)
    with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
        await plane.status_writer.write_changes()
    await plane.status_writer.write_changes()
    assert shown_in(plane, bot) == "active"
    assert len(plane.kube.events) == 1


async def test_one_that_cannot_be_shown_does_not_keep_the_others_back(plane: Plane, given: Scenario) -> None:
    bots = [with_request(plane, await reserved(given).active()) for _ in range(5)]
    plane.kube.fail("patch_request_status", KubernetesUnavailable())
    with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
        await plane.status_writer.write_changes()
    assert [shown_in(plane, bot) for bot in bots].count("active") == 4


async def test_one_that_gets_no_answer_holds_the_others_up_for_a_moment_only(
    plane: Plane, given: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_writer, "WRITE_TIMEOUT_S", 0.05)
    hung, other = [with_request(plane, await reserved(given)) for _ in range(2)]
    really = plane.kube.patch_request_status

    async def patched(namespace: str, name: str, status: dict[str, object], *, uid: str) -> bool:
        if name == hung.request_name:
            await asyncio.Event().wait()
        return await really(namespace, name, status, uid=uid)

    with monkeypatch.context() as silent:
        silent.setattr(plane.kube, "patch_request_status", patched)
        with pytest.raises(KubernetesUnavailable, match="did not answer within"):
            await plane.status_writer.write_changes()
    assert (shown_in(plane, hung), shown_in(plane, other)) == (None, "reserved")
    assert await plane.status_writer.write_changes() == 1
    assert shown_in(plane, hung) == "reserved"


@pytest.mark.parametrize(
    ("waiting", "most"), [(BACKLOG - 1, status_writer.CONCURRENCY), (BACKLOG, status_writer.CONCURRENCY_WITH_BACKLOG)]
)
async def test_while_many_bots_wait_for_their_jobs_few_statuses_are_written_at_once(
    plane: Plane, given: Scenario, waiting: int, most: int
) -> None:
    first = await reserved(given).active()
    bots = [first, *await given.copies_of(first, status_writer.CONCURRENCY)]
    for bot in bots:
        with_request(plane, bot)
    writing, largest, really, full = 0, 0, plane.kube.patch_request_status, asyncio.Event()

    async def patched(namespace: str, name: str, status: dict[str, object], *, uid: str) -> bool:
        nonlocal writing, largest
        writing, largest = writing + 1, max(largest, writing + 1)
        if writing == most:
            full.set()
        await full.wait()
        await asyncio.sleep(0)  # whoever else may write comes now
        writing -= 1
        return await really(namespace, name, status, uid=uid)

    plane.kube.patch_request_status = patched  # type: ignore[method-assign]
    with ExitStack() as stack:
        for number in range(waiting):
            stack.enter_context(
                plane.in_flight.tracking(BotRequest.from_object(a_botrequest("standup", uid=f"u-{number}")))
            )
        assert await plane.status_writer.write_changes() == len(bots)
    assert largest == most
    assert {shown_in(plane, bot) for bot in bots} == {"active"}


async def test_a_change_while_it_is_shown_is_shown_next(plane: Plane, given: Scenario) -> None:
    bot = with_request(plane, await reserved(given).active())
    patch = plane.kube.patch_request_status

    async def slow(namespace: str, name: str, status: dict[str, object], *, uid: str) -> bool:
        plane.kube.patch_request_status = patch  # type: ignore[method-assign]
        await given.execute("UPDATE usher.bots SET revision = revision + 1, ended_at = now(), reason = 'left'")
        await given.execute("UPDATE meetings SET status = 'completed'")
        return await patch(namespace, name, status, uid=uid)

    plane.kube.patch_request_status = slow  # type: ignore[method-assign]
    await plane.status_writer.write_changes()
    assert shown_in(plane, bot) == "active"
    assert await plane.status_writer.write_changes() == 1
    assert shown_in(plane, bot) == "completed"


async def test_with_the_database_away_nothing_is_written(plane: Plane, no_database: Database) -> None:
    plane.use(no_database)
    with pytest.raises(DatabaseUnavailable, match="Connection refused"):
        await plane.status_writer.write_changes()
    assert plane.kube.writes == []


async def test_the_loop_survives_everything(plane: Plane, given: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    bot = with_request(plane, await reserved(given).active())
    plane.kube.fail("patch_request_status", KubernetesUnavailable())
    plane.kube.fail("patch_request_status", ZeroDivisionError())
    await run_until(plane, lambda: True, interval_s=0.01)
    assert shown_in(plane, bot) == "active"
    assert [record.__dict__["action"] for record in caplog.records] == ["status_write_postponed", "status_write_failed"]


async def test_behind_a_full_batch_the_next_one_follows_at_once(
    plane: Plane, given: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_writer, "BATCH", 2)
    bots = [with_request(plane, await reserved(given).active()) for _ in range(5)]
    await run_until(plane, lambda: all(shown_in(plane, bot) == "active" for bot in bots), interval_s=3600)


async def test_a_whole_life_through_the_real_parts_costs_six_writes(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user())
    await plane.ensure(body)
    await plane.status_writer.write_changes()
    bot = await plane.bot_of(body)
    assert bot is not None
    course = (
        (Status.STARTING, "started"),
        (Status.ACTIVE, "joined"),
        (Status.STOPPING, "leaving"),
        (Status.COMPLETED, "left"),
    )
    for target, reason in course:
        told = Report(connection_id=bot.connection_id, target=target, reason=reason, speaker=speaker_of(bot))
        async with given.database.at_once() as connection:
            await report(connection, told)
        await plane.ensure(body)
        await plane.status_writer.write_changes()
        await plane.tick(after=10)
    assert [(write.verb, write.kind) for write in plane.kube.writes] == [
        ("create", "Job"),
        ("patch", "BotRequest"),
        ("patch", "BotRequest"),
        ("create", "Event"),
        ("patch", "BotRequest"),
        ("create", "Event"),
    ]
    assert plane.kube.status("standup")["phase"] == "completed"


async def test_a_request_that_was_made_again_does_not_show_the_end_of_its_predecessor(
    plane: Plane, given: Scenario
) -> None:
    """`kubectl replace --force`: deleted and created under the same name within a second."""
    bot = await reserved(given).active().failed(by=Source.RECONCILER)
    refusal = {"phase": "refused"}
    plane.kube.apply(a_botrequest(str(bot.request_name), uid="its-successor", status=refusal))
    assert await plane.status_writer.write_changes() == 1
    assert plane.kube.status(str(bot.request_name)) == refusal
    assert plane.kube.events == []
    assert await plane.status_writer.write_changes() == 0


async def refused_ones(plane: Plane, given: Scenario, count: int) -> None:
    """Bots in a namespace whose Role is gone."""
    first = await reserved(given).active()
    await given.execute("UPDATE usher.bots SET request_namespace = 'gone' WHERE meeting_id = :id", id=first.meeting_id)
    await given.copies_of(first, count - 1)
    plane.kube.refused_statuses["gone"] = "botrequests.usher.dev is forbidden"


async def test_statuses_that_are_refused_for_good_starve_no_others(
    plane: Plane, given: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    await refused_ones(plane, given, status_writer.BATCH)
    good = with_request(plane, await reserved(given).active())
    for _ in range(3):
        await plane.status_writer.write_changes()
    assert shown_in(plane, good) == "active"
    patches = [write for write in plane.kube.writes if write.verb == "patch"]
    assert len(patches) == status_writer.BATCH + 1, "each was tried once"
    refused = [one for one in caplog.records if one.__dict__.get("action") == "status_write_refused"]
    assert len(refused) == status_writer.BATCH


async def test_a_status_that_was_refused_is_tried_again_after_an_hour_or_a_restart(
    plane: Plane, given: Scenario
) -> None:
    await refused_ones(plane, given, 1)
    assert [await plane.status_writer.write_changes() for _ in range(2)] == [1, 0]
    await given.execute("UPDATE usher.bots SET write_after = write_after - interval '1 hour'")
    assert [await plane.status_writer.write_changes() for _ in range(2)] == [1, 0]
    plane.kube.refused_statuses.clear()
    async with plane.database.at_once() as connection:
        await status_writes.retry_all(connection)
    assert [await plane.status_writer.write_changes() for _ in range(2)] == [1, 0]


async def pauses_of(given: Scenario, bot: Bot) -> float:
    """Seconds until its status is tried again."""
    query = "SELECT extract(epoch FROM write_after - now()) FROM usher.bots WHERE meeting_id = :id"
    return round(float(await given.scalar(query, id=bot.meeting_id)))


async def test_a_status_that_fails_again_and_again_is_tried_ever_more_seldom(plane: Plane, given: Scenario) -> None:
    bot = with_request(plane, await reserved(given).active())
    pauses = []
    for _ in range(6):
        plane.kube.fail("patch_request_status", KubernetesUnavailable())
        with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
            await plane.status_writer.write_changes()
        pauses.append(await pauses_of(given, bot))
        await given.execute("UPDATE usher.bots SET write_after = now()")
    assert pauses == [0, 1, 3, 7, 15, 15]
    await plane.status_writer.write_changes()
    assert shown_in(plane, bot) == "active"
    assert await given.scalar("SELECT write_failures FROM usher.bots") == 0


async def test_a_job_that_is_forbidden_is_shown_and_has_one_event(plane: Plane, given: Scenario) -> None:
    bot = with_request(plane, await reserved(given).written())
    for message in ("exceeded quota: pods=10", "exceeded quota: pods=11"):
        async with plane.database.at_once() as connection:
            await status_writes.note_reason(connection, bot.meeting_id, reason="job_create_forbidden", message=message)
        await given.execute("UPDATE usher.bots SET status_changed_at = now() - interval '1 minute'")
        assert await plane.status_writer.write_changes() == 1
        started = plane.kube.condition("Started", str(bot.request_name))
        assert (started["status"], started["reason"], started["message"]) == ("False", "JobCreateForbidden", message)
    assert {(event["type"], event["reason"]) for event in plane.kube.events} == {("Warning", "JobCreateForbidden")}
    assert len({event["metadata"]["name"] for event in plane.kube.events}) == 1


async def edited(plane: Plane, given: Scenario, **status: str) -> Bot:
    """A bot whose written status somebody changed."""
    bot = plane.in_kubernetes(await reserved(given).active().waited(60).beating())
    await plane.status_writer.write_changes()
    plane.kube.status(str(bot.request_name)).update(status)
    return bot


@pytest.mark.parametrize("status", [{"phase": "failed"}, {"phase": "reserved"}, {"reason": "HeartbeatLost"}])
async def test_a_status_that_was_edited_by_hand_is_written_again(
    plane: Plane, given: Scenario, status: dict[str, str]
) -> None:
    bot = await edited(plane, given, **status)
    for _ in range(3):
        await plane.tick(after=10)
        await plane.status_writer.write_changes()
    shown = plane.kube.status(str(bot.request_name))
    assert (shown["phase"], shown["reason"]) == ("active", "Joined")


async def test_an_ended_request_that_was_edited_to_look_alive_is_corrected(plane: Plane, given: Scenario) -> None:
    bot = with_request(plane, await reserved(given).active().completed().waited(60))
    await plane.status_writer.write_changes()
    plane.kube.status(str(bot.request_name))["phase"] = "active"
    for _ in range(3):
        await plane.tick(after=10)
        await plane.status_writer.write_changes()
    assert shown_in(plane, bot) == "completed"


async def test_a_status_that_is_as_it_was_written_costs_no_write(plane: Plane, given: Scenario) -> None:
    await edited(plane, given)
    writes = list(plane.kube.writes)
    for _ in range(3):
        await plane.tick(after=10)
        await plane.status_writer.write_changes()
    assert plane.kube.writes == writes


async def test_a_status_that_carries_the_installation_says_whose_it_is(plane: Plane, given: Scenario) -> None:
    bot = with_request(plane, await reserved(given).active())
    await plane.status_writer.write_changes()
    assert plane.kube.status(str(bot.request_name))["installation"] == INSTALLATION
