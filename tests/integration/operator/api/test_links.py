"""Links through the API: one bot a meeting however its link is written, found again by its id in any spelling."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import some_settings
from tests.integration.operator.api.client import Client, key_of
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario, User
from tests.unit.models.links import ROWS
from usher_models.db.engine import Database
from usher_models.platforms import MeetingRef, Platform
from usher_operator.processes.serve import public_api

AsUser = Callable[[User], Awaitable[Client]]
# One link a meeting: the first that the table has.
FIRST = {(platform, row.native_id): row.link for platform, row in reversed(ROWS)}


def path_of(platform: str, native_id: str) -> URL:
    return URL(f"/bots/{platform}/{quote(native_id, safe='')}", encoded=True)


async def test_a_bot_that_was_asked_for_by_any_link_is_sent_away_by_its_id(given: Scenario, as_user: AsUser) -> None:
    client = await as_user(await given.a_user(cap=len(FIRST)))
    for (platform, native_id), link in FIRST.items():
        asked = await client.post("/bots", platform=platform, meeting_url=link)
        assert (asked.code, asked.body["native_meeting_id"]) == (201, native_id), (link, asked.body)
        left = await client.send("DELETE", str(path_of(platform, native_id)))
        assert (left.code, left.body["meeting_id"]) == (200, asked.body["id"]), (link, left.body)


@pytest.mark.parametrize(
    ("links", "platform"),
    [
        (["https://meet.google.com/kqz-mnop-rst", "https://meet.google.com/KQZMNOPRST?authuser=1"], "google_meet"),
        (["https://meet.jit.si/weekly", " <HTTPS://MEET.jit.si/Weekly#config.x=1>.\n"], "jitsi"),
        (["https://zoom.us/j/84114270867", "https://us06web.zoom.us/wc/join/841-1427-0867?tk=x"], "zoom"),
    ],
)
async def test_two_links_of_one_meeting_are_a_duplicate(me: Client, links: list[str], platform: str) -> None:
    first, second = [await me.post("/bots", platform=platform, meeting_url=link) for link in links]
    assert (first.code, second.code) == (201, 409)
    assert second.body["meeting_id"] == first.body["id"]


@pytest.mark.parametrize(
    "links",
    [
        ["https://8x8.vc/TENANT-A/standup", "https://8x8.vc/TENANT-B/standup"],
        [
            f"https://teams.microsoft.com/l/meetup-join/19%3aX%40thread.tacv2/{n}"
            for n in (1600000000000, 1700000000000)
        ],
        ["https://meet.google.com/stream/53a80f9c-4755-4fe1-aa72", "https://meet.google.com/stream/f25eecab-f4eb-49fa"],
        ["https://meet.google.com/lookup/team-standup", "https://meet.google.com/team-standup"],
    ],
)
async def test_links_of_two_meetings_are_two_bots(me: Client, links: list[str]) -> None:
    first, second = [await me.post("/bots", meeting_url=link) for link in links]
    assert (first.code, second.code) == (201, 201)


@pytest.mark.parametrize(
    ("platform", "typed", "again"),
    [
        ("google_meet", "ABC-DEFG-HIJ", "abcdefghij"),
        ("zoom", "841 1427 0867", "841-1427-0867"),
        ("jitsi", "Weekly", "WEEKLY"),
        ("jitsi", "Room With Spaces", "room with spaces"),
    ],
)
async def test_an_id_is_found_in_the_spelling_it_was_asked_with(
    me: Client, platform: str, typed: str, again: str
) -> None:
    asked = await me.post("/bots", platform=platform, native_meeting_id=typed)
    assert asked.code == 201
    listed = await me.get("/bots", platform=platform, native_meeting_id=typed)
    assert [one["id"] for one in listed.body["meetings"]] == [asked.body["id"]]
    for spelling in (typed, again, asked.body["native_meeting_id"]):
        left = await me.send("DELETE", str(path_of(platform, spelling)))
        assert (left.code, left.body["meeting_id"]) == (200, asked.body["id"])


async def test_a_row_of_vexas_keeps_its_spelling_and_is_found_by_it(me: Client, given: Scenario, user: User) -> None:
    written = MeetingRef(platform=Platform.JITSI, native_id="Standup", url="")
    old = await given.a_legacy_meeting(user, status="completed", meeting=written)
    assert [one["id"] for one in (await me.get("/bots", native_meeting_id="Standup")).body["meetings"]] == [old]
    assert (await me.send("DELETE", str(path_of("jitsi", "Standup")))).body["meeting_id"] == old
    new = await me.post("/bots", platform="jitsi", native_meeting_id="Standup")
    assert (await me.send("DELETE", str(path_of("jitsi", "Standup")))).body["meeting_id"] == new.body["id"]


async def test_the_request_of_a_pasted_link_becomes_a_job(me: Client, kube: FakeKube, plane: Plane) -> None:
    asked = await me.post("/bots", meeting_url="HTTPS://US06WEB.zoom.us/j/841-1427-0867?pwd=old ", passcode="new")
    (request,) = kube.requests.values()
    assert request["spec"]["meetingUrl"] == "https://us06web.zoom.us/j/84114270867?pwd=new"
    await plane.ensure(request)
    assert list(kube.jobs) == [("bots", asked.body["bot_container_id"])]


async def test_a_passcode_longer_than_a_spec_holds_stays_in_its_link(me: Client, kube: FakeKube) -> None:
    asked = await me.post("/bots", meeting_url=f"https://zoom.us/j/84114270867?pwd={'x' * 300}")
    assert asked.code == 201
    (request,) = kube.requests.values()
    assert "passcode" not in request["spec"]


@pytest.mark.parametrize(
    "body", [{"meeting_url": "https://jitsi.corp/standup"}, {"native_meeting_id": "standup@jitsi.corp"}]
)
async def test_a_private_host_is_joined_where_it_is_allowed(
    me: Client,
    given: Scenario,
    user: User,
    database: Database,
    kube: FakeKube,
    publisher: RecordingPublisher,
    body: dict[str, str],
) -> None:
    refused = await me.post("/bots", platform="jitsi", **body)
    assert refused.code == 422
    assert refused.body["errors"][0]["loc"] == ["body", *body]
    assert "USHER_ALLOWED_PRIVATE_MEETING_HOSTS" in refused.body["errors"][0]["msg"]
    settings = some_settings(allowed_private_meeting_hosts=("*.corp",))
    app = public_api(settings, database=database, publisher=publisher, kube=kube)
    async with TestClient(TestServer(app)) as http:
        allowing = Client(http, {"X-API-Key": await key_of(given, user)})
        assert (await allowing.post("/bots", platform="jitsi", **body)).code == 201
