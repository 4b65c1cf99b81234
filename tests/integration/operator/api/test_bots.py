"""Asking for bots, telling them something and sending them away."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.integration.operator.api.client import Client
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario, User, a_meeting
from usher_models.db import bots
from usher_models.errors import KubernetesUnavailable
from usher_models.states import Status
from usher_operator.kube.port import CreateRefused


async def test_a_bot_is_reserved_and_requested(me: Client, user: User, kube: FakeKube) -> None:
    answer = await me.ask(platform="zoom", native_meeting_id="85123456789", passcode="s3cret", language="de")
    assert answer.code == 201
    meeting_id = answer.body["id"]
    assert answer.body["status"] == "reserved"
    assert answer.body["bot_container_id"] == f"bot-{meeting_id}"
    assert answer.body["constructed_meeting_url"] == "https://zoom.us/j/85123456789"
    assert "s3cret" not in str(answer.body)
    assert answer.body["user_id"] == user.id
    ((namespace, name), request) = next(iter(kube.requests.items()))
    assert namespace == "bots"
    assert name.startswith(f"meeting-{meeting_id}-")
    assert request["spec"]["userId"] == user.id
    assert request["spec"]["language"] == "de"


@pytest.mark.parametrize(
    "asked",
    [
        {"platform": "zoom", "native_meeting_id": "85123456789", "passcode": "s3cret", "language": "de"},
        {"platform": "teams", "meeting_url": "https://teams.live.com/meet/9361234567890?p=abcDEF123"},
    ],
)
async def test_the_answer_to_a_request_is_the_record_that_is_read_later(me: Client, asked: dict[str, str]) -> None:
    answer = await me.post("/bots", **asked)
    assert (await me.get(f"/bots/id/{answer.body['id']}")).body == answer.body


async def test_a_requested_bot_gets_its_job(me: Client, kube: FakeKube, plane: Plane) -> None:
    answer = await me.ask()
    await plane.ensure(next(iter(kube.requests.values())))
    assert list(kube.jobs) == [("bots", answer.body["bot_container_id"])]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"platform": "webex"}, ["body", "platform"]),
        ({"native_meeting_id": "abc"}, ["body", "native_meeting_id"]),
        ({"native_meeting_id": "8512345678?x=1"}, ["body", "native_meeting_id"]),
        ({"native_meeting_id": None}, ["body", "native_meeting_id"]),
        ({"native_meeting_id": "1" * 256}, ["body", "native_meeting_id"]),
        ({"meeting_url": "http://zoom.us/j/85123456789"}, ["body", "meeting_url"]),
        ({"meeting_url": "https://127.0.0.1/j/85123456789"}, ["body", "meeting_url"]),
        ({"bot_name": "a\u0000b"}, ["body", "bot_name"]),
        ({"automatic_leave": {"max_life": 1}}, ["body", "automatic_leave", "max_life"]),
        ({"dry_run": True}, ["body", "dry_run"]),
    ],
)
async def test_a_wrong_field_is_named(me: Client, given: Scenario, body: dict[str, Any], where: list[str]) -> None:
    before = await given.everything()
    answer = await me.ask(**body)
    assert answer.code == 422
    assert answer.body["errors"][0]["loc"] == where
    assert await given.everything() == before


@pytest.mark.parametrize("raw", [b"{", b"[]", b"\xff", b"", b'{"platform": "\\ud800"}'])
async def test_what_is_no_json_object_is_refused(me: Client, raw: bytes) -> None:
    assert (await me.send("POST", "/bots", data=raw)).code == 422


async def test_the_inputs_of_older_versions_are_taken(me: Client) -> None:
    old = await me.ask(platform="zoom", native_meeting_id="85123456780?pwd=abc", recording_enabled=False)
    assert (old.code, old.body["native_meeting_id"]) == (201, "85123456780")
    leave = {"max_bot_time": 7_200_000, "max_wait_for_admission": 900_000, "no_one_joined_timeout": 120_000}
    new = await me.ask(
        platform=None,
        native_meeting_id=None,
        meeting_url="https://meet.google.com/abc-defg-hij",
        automatic_leave=leave,
        transcription_tier="realtime",
    )
    assert (new.code, new.body["platform"]) == (201, "google_meet")


async def test_the_limit_is_said_and_nothing_stays(me: Client, kube: FakeKube, given: Scenario) -> None:
    for _ in range(3):
        assert (await me.ask()).code == 201
    before, requests = await given.everything(), dict(kube.requests)
    answer = await me.ask()
    assert answer.code == 429
    assert answer.headers["Retry-After"].isdecimal()
    detail = "Maximum concurrent bots limit reached (3)"
    assert answer.body == {"detail": detail, "code": "cap_reached", "limit": 3, "used": 3}
    assert (await given.everything(), dict(kube.requests)) == (before, requests)


async def test_a_limit_of_zero_allows_none(given: Scenario, as_user: object) -> None:
    client = await as_user(await given.a_user(cap=0))  # type: ignore[operator]
    assert (await client.ask()).code == 429


async def test_parallel_requests_never_oversell(given: Scenario, as_user: object, kube: FakeKube) -> None:
    client = await as_user(await given.a_user(cap=5))  # type: ignore[operator]
    answers = await asyncio.gather(*(client.ask() for _ in range(100)))
    assert Counter(answer.code for answer in answers) == {201: 5, 429: 95}
    assert len(kube.requests) == 5
    assert await given.scalar("SELECT count(*) FROM meetings") == 5


async def test_the_same_live_meeting_is_a_duplicate(me: Client) -> None:
    first = await me.ask(native_meeting_id="85123456789")
    again = await me.ask(native_meeting_id="85123456789")
    assert (again.code, again.body["code"], again.body["meeting_id"]) == (409, "duplicate_meeting", first.body["id"])


async def test_a_planned_meeting_that_the_database_keeps_unique_is_a_duplicate(
    me: Client, given: Scenario, user: User
) -> None:
    meeting = a_meeting()
    planned = await given.a_legacy_meeting(user, status="scheduled", meeting=meeting)
    answer = await me.ask(native_meeting_id=meeting.native_id)
    assert (answer.code, answer.body["meeting_id"]) == (409, planned)


async def test_a_repeat_with_the_same_key_is_the_same_meeting(me: Client, kube: FakeKube) -> None:
    first = await me.ask(key="order-1", native_meeting_id="85123456789")
    again = await me.ask(key="order-1", native_meeting_id="85123456789")
    assert (again.code, again.body["id"]) == (201, first.body["id"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(kube.requests) == 1


async def test_parallel_repeats_are_one_meeting(me: Client, kube: FakeKube) -> None:
    answers = await asyncio.gather(*(me.ask(key="order-1", native_meeting_id="85123456789") for _ in range(8)))
    assert {(answer.code, answer.body["id"]) for answer in answers} == {(201, answers[0].body["id"])}
    assert len(kube.requests) == 1


async def test_a_key_is_not_used_for_two_requests(me: Client) -> None:
    await me.ask(key="order-1", native_meeting_id="85123456789")
    answer = await me.ask(key="order-1", native_meeting_id="85123456780")
    assert answer.code == 422
    assert answer.body["errors"][0]["loc"] == ["header", "Idempotency-Key"]


async def test_keys_of_two_users_never_meet(me: Client, given: Scenario, as_user: object) -> None:
    other = await as_user(await given.a_user())  # type: ignore[operator]
    mine = await me.ask(key="order-1", native_meeting_id="85123456789")
    theirs = await other.ask(key="order-1", native_meeting_id="85123456789")
    assert (mine.code, theirs.code) == (201, 201)
    assert mine.body["id"] != theirs.body["id"]


async def test_without_the_api_server_the_bot_is_requested_later(me: Client, kube: FakeKube, plane: Plane) -> None:
    kube.away = True
    answer = await me.ask()
    assert (answer.code, answer.body["status"]) == (201, "reserved")
    await plane.tick()
    kube.away = False
    await plane.tick()
    assert kube.requests == {}
    await plane.tick(after=11)
    assert len(kube.requests) == 1
    await plane.tick(after=11)
    assert list(kube.jobs) == [("bots", answer.body["bot_container_id"])]


async def test_a_lost_answer_of_the_api_server_makes_one_request(me: Client, kube: FakeKube, plane: Plane) -> None:
    kube.fail("create_request", KubernetesUnavailable(), late=True)
    assert (await me.ask()).code == 201
    await plane.tick()
    await plane.tick(after=11)
    assert (len(kube.requests), len(kube.jobs)) == (1, 1)


async def test_what_kubernetes_refuses_for_good_fails(me: Client, kube: FakeKube, given: Scenario) -> None:
    kube.fail("create_request", CreateRefused("exceeded quota"))
    asked = await me.ask()
    assert (asked.code, asked.body["status"]) == (201, "reserved")
    async with asyncio.timeout(5):
        while (await me.get(f"/bots/id/{asked.body['id']}")).body["status"] != "failed":
            pass
    told = await me.get(f"/meetings/{asked.body['id']}/transitions")
    assert [line["reason"] for line in told.body["transitions"]] == ["requested", "request_refused"]
    assert await given.scalar("SELECT message FROM usher.bots") == "Kubernetes refused the BotRequest: exceeded quota"
    assert await given.scalar("SELECT status FROM meetings") == "failed"


async def test_a_stranger_who_guessed_the_connection_gets_nothing(
    me: Client, kube: FakeKube, plane: Plane, given: Scenario, user: User
) -> None:
    kube.away = True
    await me.ask(key="order-1")
    kube.away = False
    connection_id = await given.scalar("SELECT connection_id FROM usher.bots")
    stranger = plane.a_request_of(user, "stranger", connectionId=connection_id, desiredState="Left")
    await plane.ensure(stranger)
    assert kube.condition("Accepted", "stranger")["reason"] == "ConnectionTaken"
    assert await given.scalar("SELECT desired || coalesce(request_uid, '') FROM usher.bots") == "run"


async def test_the_status_shows_what_holds_a_slot(me: Client, given: Scenario, user: User) -> None:
    live = await given.a_bot(user).starting().active()
    await given.a_bot(user).starting().completed()
    legacy = await given.a_legacy_meeting(user, status="joining")
    answer = await me.get("/bots/status")
    assert answer.code == 200
    assert answer.body["count"] == 2
    assert [bot["meeting_id"] for bot in answer.body["running_bots"]] == [legacy, live.meeting_id]
    assert answer.body["running"] == answer.body["running_bots"]
    assert answer.body["running_bots"][1]["status"] == "active"


async def test_bots_are_listed_and_read(me: Client, given: Scenario, user: User) -> None:
    bots = [await given.a_bot(user) for _ in range(2)]
    listed = await me.get("/bots", limit=1)
    assert [bot["id"] for bot in listed.body["meetings"]] == [bots[1].meeting_id]
    assert (await me.get(f"/bots/id/{bots[0].meeting_id}")).body["id"] == bots[0].meeting_id
    assert (await me.get("/bots/id/999999")).code == 404


async def test_anothers_bot_is_not_there(me: Client, given: Scenario) -> None:
    bot = await given.a_bot()
    at = f"/bots/{bot.platform}/{bot.native_id}"
    assert (await me.get(f"/bots/id/{bot.meeting_id}")).code == 404
    assert (await me.send("DELETE", at)).code == 404
    assert (await me.send("PUT", f"{at}/config", json={"language": "de"})).code == 404


LIVE = [Status.RESERVED, Status.STARTING, Status.ACTIVE, Status.STOPPING]


@pytest.mark.parametrize("status", LIVE)
async def test_a_live_bot_is_sent_away_once(
    me: Client, given: Scenario, user: User, publisher: RecordingPublisher, status: Status
) -> None:
    making = given.a_bot(user)
    bot = await (making if status is Status.RESERVED else making.moved(status))
    path = f"/bots/{bot.platform}/{bot.native_id}"
    answers = [await me.send("DELETE", path) for _ in range(2)]
    assert [(answer.code, answer.body["status"]) for answer in answers] == [(200, "stopping")] * 2
    assert publisher.actions(bot.connection_id) == ["leave"]
    assert (await given.fresh(bot)).desired == "leave"


async def test_a_reserved_bot_that_was_never_requested_is_sent_away(me: Client, kube: FakeKube, plane: Plane) -> None:
    kube.away = True
    answer = await me.ask(native_meeting_id="85123456789")
    assert (await me.send("DELETE", "/bots/zoom/85123456789")).code == 200
    kube.away = False
    await plane.tick()
    await plane.tick(after=11)
    assert (kube.requests, kube.jobs) == ({}, {})
    assert (await me.get(f"/meetings/{answer.body['id']}")).body["completion_reason"] == "stopped_before_start"


async def test_an_ended_bot_is_sent_away_without_effect(me: Client, given: Scenario, user: User) -> None:
    bot = await given.a_bot(user).starting().completed()
    answer = await me.send("DELETE", f"/bots/{bot.platform}/{bot.native_id}")
    assert (answer.code, answer.body["status"]) == (200, "completed")


async def test_a_bot_of_an_older_deployment_is_not_touched(me: Client, given: Scenario, user: User) -> None:
    meeting = a_meeting()
    await given.a_legacy_meeting(user, status="active", meeting=meeting)
    before = await given.everything()
    path = f"/bots/zoom/{meeting.native_id}"
    assert (await me.send("DELETE", path)).body["code"] == "not_owned"
    assert (await me.send("PUT", f"{path}/config", json={"task": "translate"})).code == 409
    assert (await me.send("PATCH", f"/meetings/zoom/{meeting.native_id}", json={"data": {"name": "x"}})).code == 409
    assert (await me.send("DELETE", f"/meetings/zoom/{meeting.native_id}")).code == 409
    assert await given.everything() == before


async def test_a_configuration_is_stored_and_told(
    me: Client, given: Scenario, user: User, publisher: RecordingPublisher
) -> None:
    bot = await given.a_bot(user).starting().active()
    path = f"/bots/{bot.platform}/{bot.native_id}/config"
    answer = await me.send("PUT", path, json={"language": "es"})
    assert (answer.code, answer.body["meeting_id"]) == (202, bot.meeting_id)
    assert publisher.actions(bot.connection_id) == ["reconfigure"]
    assert (await given.fresh(bot)).config["language"] == "es"
    assert (await me.send("PUT", path, json={})).code == 422


async def test_an_ended_bot_takes_no_configuration(me: Client, given: Scenario, user: User) -> None:
    bot = await given.a_bot(user).starting().completed()
    answer = await me.send("PUT", f"/bots/{bot.platform}/{bot.native_id}/config", json={"language": "es"})
    assert (answer.code, answer.body["detail"]) == (409, "Meeting found but is not active (status: 'completed').")


async def test_a_request_may_come_before_its_row_is_known_to_it(me: Client, kube: FakeKube, plane: Plane) -> None:
    """The watch sees a BotRequest that serve created: its row takes its uid, and no second row appears."""
    answer = await me.ask()
    body = next(iter(kube.requests.values()))
    await plane.ensure(body)
    async with plane.database.transaction() as connection:
        bot = await bots.bot_by_id(connection, answer.body["id"])
    assert bot is not None
    assert bot.request_uid == body["metadata"]["uid"]
    assert await plane.given.scalar("SELECT count(*) FROM meetings") == 1
