"""Making requests true: once, however often it is tried and wherever it is cut off; or refusing them for good."""

import asyncio
from typing import Any

import pytest

from tests.fakes.kube import FakeKube
from tests.fakes.objects import a_botrequest
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import INSTALLATION
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario, a_meeting
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.errors import (
    DatabaseForbids,
    DatabaseUnavailable,
    DatabaseWentBack,
    ForeignDatabase,
    KubernetesUnavailable,
    RowMissing,
)
from usher_models.states import Desired, Status
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.port import CreateForbidden, CreateRefused


async def the_bot(plane: Plane, body: dict[str, Any]) -> Bot:
    bot = await plane.bot_of(body)
    assert bot is not None
    return bot


async def no_rows(given: Scenario) -> bool:
    return bool(await given.scalar("SELECT count(*) FROM meetings") == 0)


async def test_an_admitted_request_holds_a_slot_and_has_one_job(plane: Plane, given: Scenario) -> None:
    user = await given.a_user(cap=1)
    body = plane.a_request_of(user, passcode="123", language="de")
    await plane.ensure(body)
    bot = await the_bot(plane, body)
    assert (bot.status, bot.user_id, bot.connection_id) == (Status.RESERVED, user.id, body["metadata"]["uid"])
    assert bot.config["passcode"] == "123"
    assert bot.job_created_at is not None
    assert list(plane.kube.jobs) == [("bots", bot.job_name)]
    assert await given.slots_held(user) == 1


async def test_ensuring_again_changes_nothing(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user())
    await plane.ensure(body)
    rows, writes = await given.everything(), list(plane.kube.writes)
    for _ in range(3):
        await plane.ensure(body)
    assert await given.everything() == rows
    assert plane.kube.writes == writes


async def test_ensuring_at_once_makes_one_bot(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user())
    await asyncio.gather(*(plane.ensure(body) for _ in range(5)))
    assert await given.scalar("SELECT count(*) FROM meetings") == 1
    assert len(plane.kube.jobs) == 1
    assert not plane.kube.events


async def test_a_bot_that_another_handler_starts_meanwhile_is_not_one_without_a_row(
    plane: Plane, given: Scenario, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is looked for, another handler reserves and creates the Job, and then the Job is looked for."""
    body = plane.a_request_of(await given.a_user())
    list_jobs = plane.kube.list_jobs

    async def list_late(*place: str, **options: Any) -> Any:
        monkeypatch.setattr(plane.kube, "list_jobs", list_jobs)
        await plane.ensure(body)
        return await list_jobs(*place, **options)

    monkeypatch.setattr(plane.kube, "list_jobs", list_late)
    await plane.ensure(body)
    assert len(plane.kube.jobs) == 1
    assert "cannot be adopted" not in caplog.text


async def test_a_user_may_be_named_by_email(plane: Plane, given: Scenario) -> None:
    user = await given.a_user(email="a@example.org")
    body = plane.a_request_of(user, userId=None, userEmail="a@example.org")
    await plane.ensure(body)
    assert (await the_bot(plane, body)).user_id == user.id


async def test_the_given_connection_id_is_the_bots(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user(), connectionId="c-1")
    await plane.ensure(body)
    assert (await the_bot(plane, body)).connection_id == "c-1"


async def test_a_slot_reserved_by_the_api_is_taken_over_by_its_request(plane: Plane, given: Scenario) -> None:
    user = await given.a_user(cap=1)
    row = await given.a_bot(user, connection_id="c-1", request_namespace=None, request_name=None, request_uid=None)
    body = plane.a_request_of(user, connectionId="c-1")
    await plane.ensure(body)
    bot = await given.fresh(row)
    assert (bot.request_namespace, bot.request_name) == ("bots", "standup")
    assert bot.request_uid == body["metadata"]["uid"]
    (owner,) = plane.kube.jobs["bots", bot.job_name]["metadata"]["ownerReferences"]
    assert owner["uid"] == bot.request_uid


async def test_a_slot_reserved_by_the_api_waits_for_the_request_of_its_name_and_user(
    plane: Plane, given: Scenario
) -> None:
    user, other = await given.a_user(), await given.a_user()
    row = await given.a_bot(user, connection_id="c-1", request_name="standup", request_uid=None)
    await refused(plane, plane.a_request_of(user, "guessed", connectionId="c-1"), "ConnectionTaken")
    await refused(plane, plane.a_request_of(other, "standup", uid="of-another", connectionId="c-1"), "ConnectionTaken")
    assert (await given.fresh(row)).request_uid is None
    body = plane.a_request_of(user, "standup", connectionId="c-1")
    await plane.ensure(body)
    assert (await given.fresh(row)).request_uid == body["metadata"]["uid"]


async def test_with_the_api_server_away_the_row_stays_and_the_next_try_makes_the_job(
    plane: Plane, given: Scenario
) -> None:
    body = plane.a_request_of(await given.a_user())
    plane.kube.fail("create_job", KubernetesUnavailable())
    with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
        await plane.ensure(body)
    bot = await the_bot(plane, body)
    assert (bot.status, bot.job_created_at, plane.kube.jobs) == (Status.RESERVED, None, {})
    await plane.ensure(body)
    assert list(plane.kube.jobs) == [("bots", bot.job_name)]
    assert await given.scalar("SELECT count(*) FROM meetings") == 1


async def test_a_lost_reply_to_the_creation_makes_no_second_job(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user())
    plane.kube.fail("create_job", KubernetesUnavailable(), late=True)
    with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
        await plane.ensure(body)
    uids = [job["metadata"]["uid"] for job in plane.kube.jobs.values()]
    await plane.ensure(body)
    assert [job["metadata"]["uid"] for job in plane.kube.jobs.values()] == uids
    assert (await the_bot(plane, body)).job_created_at is not None


async def test_a_crash_before_the_job_was_noted_is_cured_by_the_next_call(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user())
    await plane.ensure(body)
    await given.execute("UPDATE usher.bots SET job_created_at = NULL")
    await plane.ensure(body)
    assert (await the_bot(plane, body)).job_created_at is not None
    assert len(plane.kube.jobs) == 1


async def test_with_the_database_away_nothing_is_done_at_all(
    plane: Plane, given: Scenario, no_database: Database
) -> None:
    body = plane.a_request_of(await given.a_user())
    plane.use(no_database)
    with pytest.raises(DatabaseUnavailable, match="Connection refused"):
        await plane.ensure(body)
    assert plane.kube.writes == []


async def refused(plane: Plane, body: dict[str, Any], reason: str) -> str:
    """The sentence of the refusal, which is a condition and an Event and nothing else."""
    before = await plane.given.everything()
    writes = len(plane.kube.writes)
    await plane.ensure(body)
    assert await plane.given.everything() == before
    assert [(write.verb, write.kind) for write in plane.kube.writes[writes:]] == [
        ("patch", "BotRequest"),
        ("create", "Event"),
    ]
    name = body["metadata"]["name"]
    condition = plane.kube.condition("Accepted", name)
    assert (condition["status"], condition["reason"]) == ("False", reason)
    assert plane.kube.status(name)["phase"] == "refused"
    told = plane.kube.events[-1]
    assert (told["type"], told["reason"], told["message"]) == ("Warning", reason, condition["message"])
    return str(condition["message"])


async def test_an_unknown_user_is_refused(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user(), userId=4711)
    assert await refused(plane, body, "UnknownUser") == "No user has the id 4711."


async def test_an_unknown_email_is_refused(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user(), userId=None, userEmail="b@example.org")
    assert "No user has the email b@example.org" in await refused(plane, body, "UnknownUser")


async def test_over_the_cap_is_refused(plane: Plane, given: Scenario) -> None:
    user = await given.a_user(cap=1)
    await given.a_bot(user)
    body = plane.a_request_of(user)
    assert await refused(plane, body, "CapReached") == "Maximum concurrent bots limit reached (1); 1 in use."


async def test_a_cap_of_zero_allows_none(plane: Plane, given: Scenario) -> None:
    await refused(plane, plane.a_request_of(await given.a_user(cap=0)), "CapReached")


async def test_a_second_bot_in_the_same_meeting_is_refused(plane: Plane, given: Scenario) -> None:
    user, meeting = await given.a_user(), a_meeting()
    bot = await given.a_bot(user, meeting=meeting)
    body = plane.a_request_of(user, nativeMeetingId=meeting.native_id)
    assert f"(meeting {bot.meeting_id})" in await refused(plane, body, "DuplicateMeeting")


async def test_a_request_under_a_connection_that_has_one_is_refused(plane: Plane, given: Scenario) -> None:
    user = await given.a_user()
    await plane.ensure(plane.a_request_of(user, "first", connectionId="c-1"))
    await refused(plane, plane.a_request_of(user, "second", connectionId="c-1"), "DuplicateMeeting")


@pytest.mark.parametrize(
    ("spec", "reason", "sentence"),
    [
        pytest.param({"nativeMeetingId": "abc"}, "InvalidMeeting", "'abc' is not a zoom meeting id", id="id"),
        pytest.param({"platform": "webex"}, "InvalidMeeting", "Unknown platform 'webex'", id="platform"),
        pytest.param({"meetingUrl": "http://zoom.us/j/85123456789"}, "InvalidMeeting", "https://", id="url"),
        pytest.param({"meetingUrl": "https://zoom.us/rec/x"}, "InvalidMeeting", "a recording of Zoom", id="no meeting"),
        pytest.param(
            {"platform": "jitsi", "nativeMeetingId": "api@kubernetes.default.svc"},
            "InvalidMeeting",
            "must name a public host",
            id="host of the cluster",
        ),
        pytest.param({"image": "example.org/x:1"}, "ImageNotAllowed", "spec.image example.org/x:1", id="image"),
        pytest.param({"maxDurationSeconds": "x"}, "InvalidRequest", "spec.maxDurationSeconds", id="number"),
        pytest.param({"botName": "\x00"}, "InvalidRequest", "spec.botName", id="NUL"),
        pytest.param({"userId": 2**40}, "InvalidRequest", "spec.userId", id="user id beyond the column"),
        pytest.param({"userId": None}, "InvalidRequest", "spec.userId", id="no user"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(
    plane: Plane, given: Scenario, spec: dict[str, Any], reason: str, sentence: str
) -> None:
    body = plane.a_request_of(await given.a_user(), **spec)
    assert sentence in await refused(plane, body, reason)
    assert await no_rows(given)


async def test_a_refusal_does_not_repeat_the_passcode(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(
        await given.a_user(),
        nativeMeetingId=None,
        platform=None,
        passcode="swordfish",
        meetingUrl="https://zoom.us/j/1?pwd=swordfish",
    )
    await refused(plane, body, "InvalidMeeting")
    assert "swordfish" not in str(plane.kube.status("standup")) + str(plane.kube.events)


async def test_refused_stays_refused_even_when_there_is_room_later(plane: Plane, given: Scenario) -> None:
    user = await given.a_user(cap=0)
    body = plane.a_request_of(user)
    await plane.ensure(body)
    await given.execute("UPDATE users SET max_concurrent_bots = 5")
    writes = list(plane.kube.writes)
    await plane.ensure(body)
    assert await no_rows(given)
    assert plane.kube.writes == writes


async def test_a_changed_request_is_judged_anew(plane: Plane, given: Scenario) -> None:
    user = await given.a_user(cap=0)
    body = plane.a_request_of(user)
    await plane.ensure(body)
    await given.execute("UPDATE users SET max_concurrent_bots = 5")
    body["spec"]["language"] = "de"
    await plane.ensure(plane.kube.apply(body))
    assert await given.slots_held(user) == 1


async def test_a_refusal_that_could_not_be_shown_is_tried_again(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user(cap=0))
    plane.kube.fail("patch_request_status", KubernetesUnavailable())
    with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
        await plane.ensure(body)
    await plane.ensure(body)
    assert plane.kube.condition("Accepted", "standup")["status"] == "False"


async def test_a_job_that_kubernetes_refuses_fails_the_meeting_and_frees_the_slot(
    plane: Plane, given: Scenario
) -> None:
    user = await given.a_user(cap=1)
    body = plane.a_request_of(user)
    plane.kube.fail("create_job", CreateRefused("exceeded quota: bots"))
    await plane.ensure(body)
    bot = await the_bot(plane, body)
    assert (bot.status, bot.reason, bot.message) == (Status.FAILED, "job_create_failed", "exceeded quota: bots")
    assert (await given.story(bot))[-1].source == "operator"
    assert await given.slots_held(user) == 0
    await plane.ensure(body)
    assert plane.kube.jobs == {}


async def test_a_request_that_is_left_from_the_beginning_never_gets_a_job(plane: Plane, given: Scenario) -> None:
    user = await given.a_user(cap=1)
    body = plane.a_request_of(user, desiredState="Left")
    await plane.ensure(body)
    bot = await the_bot(plane, body)
    assert (bot.status, bot.reason) == (Status.COMPLETED, "stopped_before_start")
    assert plane.kube.jobs == {}
    assert await given.slots_held(user) == 0


async def test_left_before_the_job_exists_ends_without_one(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user())
    plane.kube.fail("create_job", KubernetesUnavailable())
    with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
        await plane.ensure(body)
    body["spec"]["desiredState"] = "Left"
    await plane.ensure(plane.kube.apply(body))
    bot = await the_bot(plane, body)
    assert (bot.status, bot.reason) == (Status.COMPLETED, "stopped_before_start")
    assert plane.kube.jobs == {}


async def test_left_with_the_api_server_away_starts_no_job_later(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user(), desiredState="Left")
    plane.kube.fail("get_job", KubernetesUnavailable())
    with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
        await plane.ensure(body)
    assert (await the_bot(plane, body)).status is Status.RESERVED
    await plane.ensure(body)
    assert (await the_bot(plane, body)).status is Status.COMPLETED
    assert plane.kube.jobs == {}


async def test_left_after_a_creation_whose_reply_was_lost_goes_to_the_bot(
    plane: Plane, given: Scenario, publisher: RecordingPublisher
) -> None:
    body = plane.a_request_of(await given.a_user())
    plane.kube.fail("create_job", KubernetesUnavailable(), late=True)
    with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
        await plane.ensure(body)
    body["spec"]["desiredState"] = "Left"
    await plane.ensure(plane.kube.apply(body))
    bot = await the_bot(plane, body)
    assert (bot.status, bot.desired) == (Status.RESERVED, Desired.LEAVE)
    assert bot.job_created_at is not None
    assert publisher.actions(bot.connection_id) == ["leave"]


async def test_left_of_a_running_bot_is_told_once(plane: Plane, given: Scenario, publisher: RecordingPublisher) -> None:
    bot = await given.a_bot().with_job().active()
    plane.in_kubernetes(bot)
    body = plane.kube.requests["bots", str(bot.request_name)]
    body["spec"] |= {"desiredState": "Left", "connectionId": bot.connection_id}
    body["metadata"]["generation"] += 1
    for _ in range(3):
        await plane.ensure(body)
    asked = await given.fresh(bot)
    assert (asked.desired, asked.leave_reason, asked.status) == (Desired.LEAVE, "stopped", Status.ACTIVE)
    assert publisher.actions(bot.connection_id) == ["leave"]


async def test_a_change_of_language_reaches_the_running_bot(
    plane: Plane, given: Scenario, publisher: RecordingPublisher
) -> None:
    body = plane.a_request_of(await given.a_user(), language="de", passcode="swordfish")
    await plane.ensure(body)
    body["spec"] |= {"language": "fr", "task": "translate"}
    changed = plane.kube.apply(body)
    for _ in range(2):
        await plane.ensure(changed)
    bot = await the_bot(plane, body)
    assert (bot.config["language"], bot.config["task"], bot.config_generation) == ("fr", "translate", 1)
    assert bot.request_generation == 2
    ((_, command),) = publisher.published
    assert (command.action, command.generation, command.language, command.task) == (
        "reconfigure",
        1,
        "fr",
        "translate",
    )
    assert "swordfish" not in command.model_dump_json()


async def test_a_change_of_something_else_is_noted_and_told_to_nobody(
    plane: Plane, given: Scenario, publisher: RecordingPublisher
) -> None:
    body = plane.a_request_of(await given.a_user(), language="de")
    await plane.ensure(body)
    body["spec"]["ttlSecondsAfterFinished"] = 5
    await plane.ensure(plane.kube.apply(body))
    bot = await the_bot(plane, body)
    assert (bot.request_generation, bot.config_generation) == (2, 0)
    assert publisher.published == []


async def test_a_meeting_that_is_over_is_not_started_again(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user())
    await plane.ensure(body)
    await given.execute("UPDATE meetings SET status = 'completed'")
    await given.execute("UPDATE usher.bots SET ended_at = now(), job_created_at = NULL")
    plane.kube.jobs.clear()
    body["spec"]["language"] = "fr"
    await plane.ensure(plane.kube.apply(body))
    assert plane.kube.jobs == {}
    assert await given.scalar("SELECT count(*) FROM meetings") == 1


async def test_a_withdrawn_request_asks_its_bot_to_leave(
    plane: Plane, given: Scenario, publisher: RecordingPublisher
) -> None:
    body = plane.a_request_of(await given.a_user())
    await plane.ensure(body)
    plane.kube.requests["bots", "standup"]["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    await plane.ensure(body)
    bot = await the_bot(plane, body)
    assert (bot.status, bot.desired, bot.leave_reason) == (Status.RESERVED, Desired.LEAVE, "request_deleted")
    assert publisher.actions(bot.connection_id) == ["leave"]


async def test_a_request_withdrawn_before_its_job_exists_ends_at_once(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user())
    plane.kube.fail("create_job", KubernetesUnavailable())
    with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
        await plane.ensure(body)
    plane.kube.requests["bots", "standup"]["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    await plane.ensure(body)
    bot = await the_bot(plane, body)
    assert (bot.status, bot.reason) == (Status.COMPLETED, "stopped_before_start")


async def test_a_withdrawn_request_does_not_touch_the_bot_of_its_successor(
    plane: Plane, given: Scenario, publisher: RecordingPublisher
) -> None:
    """Deleted and created anew under the same connection id; the deletion is seen last."""
    user = await given.a_user()
    await plane.ensure(plane.a_request_of(user, connectionId="c-1"))
    older = BotRequest.from_object(a_botrequest("standup", uid="older", connectionId="c-1"))
    await plane.ensurer.withdraw(older)
    assert publisher.published == []


async def test_a_leftover_job_of_another_database_goes_first(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user())
    plane.kube.fail("create_job", KubernetesUnavailable())
    with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
        await plane.ensure(body)
    bot = await the_bot(plane, body)
    leftover = {"metadata": {"name": bot.job_name, "annotations": {"usher.dev/connection-id": "another"}}}
    plane.kube.jobs["bots", bot.job_name] = leftover
    with pytest.raises(KubernetesUnavailable, match="leftover"):
        await plane.ensure(body)
    assert plane.kube.jobs == {}
    assert (await the_bot(plane, body)).job_created_at is None
    await plane.ensure(body)
    job = plane.kube.jobs["bots", bot.job_name]
    assert job["metadata"]["annotations"]["usher.dev/connection-id"] == bot.connection_id


async def test_requests_race_for_the_last_slot_and_one_gets_it(plane: Plane, given: Scenario, kube: FakeKube) -> None:
    user = await given.a_user(cap=1)
    bodies = [plane.a_request_of(user, f"request-{number}") for number in range(6)]
    await asyncio.gather(*(plane.ensure(body) for body in bodies))
    phases = [kube.status(body["metadata"]["name"]).get("phase") for body in bodies]
    assert phases.count("refused") == 5
    assert (len(kube.jobs), await given.slots_held(user)) == (1, 1)


async def test_the_watch_and_the_sweep_at_once_never_start_what_shall_not_come(plane: Plane, given: Scenario) -> None:
    """Both read the row before one of them ended it; the other must not take the ended row for one to start."""
    user = await given.a_user()
    bodies = [plane.a_request_of(user, f"unwanted-{number}", desiredState="Left") for number in range(10)]
    await asyncio.gather(*(plane.ensure(body) for body in bodies for _ in range(4)))
    assert [(await the_bot(plane, body)).reason for body in bodies] == ["stopped_before_start"] * len(bodies)
    assert plane.kube.jobs == {}


async def test_a_sweep_ensures_what_has_no_row_and_nothing_that_is_over(
    plane: Plane, given: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await given.a_user()
    over = plane.a_request_of(user, "over")
    await plane.ensure(over)
    bot = await the_bot(plane, over)
    await given.ends(bot, Status.FAILED)
    plane.a_request_of(user, "missed")
    stolen = plane.a_request_of(user, "stolen", connectionId=bot.connection_id)
    ensured: list[str] = []

    async def ensure(request: BotRequest) -> None:
        ensured.append(request.name)

    monkeypatch.setattr(plane.ensurer, "ensure", ensure)
    await plane.tick()
    assert plane.kube.status("over") == {}
    assert sorted(ensured) == ["missed", stolen["metadata"]["name"]]


@pytest.mark.parametrize("phase", ["completed", "failed"])
async def test_an_end_that_is_shown_is_final_although_the_row_is_lost(
    plane: Plane, given: Scenario, phase: str
) -> None:
    """After a recovery to an earlier point in time, or with a new database."""
    body = plane.a_request_of(await given.a_user())
    shown = {"phase": phase, "observedGeneration": 1}
    plane.kube.requests["bots", "standup"]["status"] = dict(shown)
    await plane.ensure(body)
    await plane.tick(after=10)
    await plane.tick(after=10)
    assert await no_rows(given)
    assert (plane.kube.jobs, plane.kube.status("standup")) == ({}, shown)


async def test_a_request_that_was_changed_after_its_shown_end_is_judged_anew(plane: Plane, given: Scenario) -> None:
    user = await given.a_user()
    body = plane.a_request_of(user)
    plane.kube.requests["bots", "standup"]["status"] = {"phase": "completed", "observedGeneration": 1}
    plane.kube.requests["bots", "standup"]["metadata"]["generation"] = 2
    await plane.ensure(body)
    assert await given.slots_held(user) == 1


async def in_the_way(plane: Plane, given: Scenario, **labels: str) -> tuple[dict[str, Any], Bot]:
    """A request whose Job's name is taken by a Job with those labels."""
    body = plane.a_request_of(await given.a_user())
    plane.kube.fail("create_job", KubernetesUnavailable())
    with pytest.raises(KubernetesUnavailable, match="Kubernetes API cannot be reached"):
        await plane.ensure(body)
    bot = await the_bot(plane, body)
    metadata = {"name": bot.job_name, "labels": labels, "annotations": {"usher.dev/connection-id": bot.connection_id}}
    plane.kube.jobs["bots", bot.job_name] = {"metadata": metadata}
    return body, bot


async def test_a_job_of_another_installation_is_never_touched(plane: Plane, given: Scenario) -> None:
    body, bot = await in_the_way(plane, given, **{"usher.dev/installation": "another"})
    jobs = dict(plane.kube.jobs)
    with pytest.raises(KubernetesUnavailable, match="another Usher installation has the name"):
        await plane.ensure(body)
    assert plane.kube.jobs == jobs
    assert (await given.fresh(bot)).job_created_at is None


async def test_a_running_job_of_lost_rows_is_not_deleted_for_its_name(plane: Plane, given: Scenario) -> None:
    body, bot = await in_the_way(plane, given, **{"usher.dev/installation": INSTALLATION})
    plane.kube.jobs["bots", bot.job_name]["metadata"]["annotations"] = {"usher.dev/connection-id": "lost"}
    with pytest.raises(KubernetesUnavailable, match="runs for a meeting that has no row"):
        await plane.ensure(body)
    assert ("bots", bot.job_name) in plane.kube.jobs


async def test_a_job_that_is_forbidden_now_waits_and_says_why(plane: Plane, given: Scenario) -> None:
    user = await given.a_user(cap=1)
    body = plane.a_request_of(user)
    plane.kube.fail("create_job", CreateForbidden("exceeded quota: bots, used: pods=10"))
    with pytest.raises(KubernetesUnavailable, match="exceeded quota"):
        await plane.ensure(body)
    bot = await the_bot(plane, body)
    assert (bot.status, bot.reason) == (Status.RESERVED, "job_create_forbidden")
    await given.execute("UPDATE usher.bots SET status_changed_at = now() - interval '10 s'")
    await plane.status_writer.write_changes()
    for kind in ("JobCreated", "Started"):
        condition = plane.kube.condition(kind, "standup")
        assert (condition["status"], condition["reason"]) == ("False", "JobCreateForbidden")
        assert condition["message"] == "exceeded quota: bots, used: pods=10"
    await plane.ensure(body)
    assert list(plane.kube.jobs) == [("bots", bot.job_name)]


@pytest.mark.parametrize(
    ("error", "reason", "said"),
    [
        (KeyError("swordfish"), "InternalError", "KeyError; see the operator's log."),
        (DatabaseForbids("INSERT on meetings is forbidden."), "DatabaseForbids", "INSERT on meetings is forbidden."),
        (DatabaseWentBack(), "DatabaseWentBack", "Try again in a minute."),
        (ForeignDatabase(), "ForeignDatabase", "until its own is back."),
        (RowMissing("It runs without a row."), "RowMissing", "It runs without a row."),
    ],
)
async def test_an_error_that_may_last_is_shown_and_does_not_refuse(
    plane: Plane, given: Scenario, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str, said: str
) -> None:
    user = await given.a_user()
    body = plane.a_request_of(user)

    async def reserve(*_: object) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr("usher_models.db.reservations.reserve", reserve)
        for _ in range(3):
            with pytest.raises(type(error)):
                await plane.ensure(body)
    condition = plane.kube.condition("Accepted", "standup")
    assert (condition["status"], condition["reason"]) == ("Unknown", reason)
    assert condition["message"].endswith(said)
    assert "swordfish" not in str(plane.kube.status("standup"))
    assert plane.kube.writes_of("BotRequest") == ["patch"], "once, and not with every try"
    await plane.ensure(body)
    assert await given.slots_held(user) == 1


async def test_an_unexpected_error_is_shown_again_for_a_changed_request(
    plane: Plane, given: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def reserve(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("usher_models.db.reservations.reserve", reserve)
    user = await given.a_user()
    for changes in (1, 2):
        body = plane.a_request_of(user)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await plane.ensure(body)
        assert plane.kube.condition("Accepted", "standup")["observedGeneration"] == changes
        assert len(plane.kube.writes_of("BotRequest")) == changes


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"priorityClassName": "system-node-critical"}, "NotAllowed"),
        ({"tolerations": [{"operator": "Exists"}]}, "NotAllowed"),
        ({"resources": {"limits": {"memory": "1Ti"}}}, "NotAllowed"),
    ],
)
async def test_a_request_for_more_than_is_allowed_is_refused(
    plane: Plane, given: Scenario, spec: dict[str, Any], reason: str
) -> None:
    await refused(plane, plane.a_request_of(await given.a_user(), **spec), reason)
