"""The webhook's settings: who may change them, and who never learns the secret."""

import pytest

from tests.integration.operator.api.client import Client, key_of
from tests.scenario import Scenario, User

PATH = "/user/webhook"
URL = "https://hooks.example.org/usher"
SECRET = "a secret of the owner"


@pytest.fixture
async def owner(me: Client) -> Client:
    """A user whose webhook has a secret."""
    body = {"webhook_url": URL, "webhook_secret": SECRET, "webhook_events": ["bot.failed"]}
    assert (await me.send("PUT", PATH, json=body)).code == 200
    return me


@pytest.mark.parametrize(
    ("scopes", "read", "write"), [(["bot"], 200, 200), (["tx"], 200, 403), (["browser"], 403, 403), ([], 200, 200)]
)
async def test_a_webhook_is_changed_only_with_the_scope_for_bots(
    owner: Client, given: Scenario, user: User, scopes: list[str], read: int, write: int
) -> None:
    client = Client(owner.http, {"X-API-Key": await key_of(given, user, scopes=scopes)})
    assert (await client.get(PATH)).code == read
    assert (await client.get(f"{PATH}/deliveries")).code == read
    assert (await client.send("PUT", PATH, json={"webhook_url": "https://other.example"})).code == write
    assert (await client.send("POST", f"{PATH}/deliveries/1/redeliver")).code == {200: 404, 403: 403}[write]


async def test_the_settings_are_read_with_the_secret_masked(owner: Client, given: Scenario) -> None:
    assert (await owner.get(PATH)).body == {
        "webhook_url": URL,
        "webhook_secret_set": True,
        "webhook_secret": "********wner",
        "webhook_events": ["bot.failed"],
        "paused": False,
    }
    await given.execute(
        """UPDATE users SET data = '{"webhook_url": 7, "webhook_secret": "short", "webhook_events": 1}'"""
    )
    shown = (await owner.get(PATH)).body
    assert (shown["webhook_url"], shown["webhook_secret"], shown["webhook_events"]) == (None, "********", None)


async def test_without_a_webhook_the_settings_are_empty(me: Client) -> None:
    body = (await me.get(PATH)).body
    assert (body["webhook_url"], body["webhook_secret_set"], body["webhook_secret"]) == (None, False, None)


async def test_a_kept_secret_stays_with_its_host(owner: Client, given: Scenario) -> None:
    answer = await owner.send("PUT", PATH, json={"webhook_url": f"{URL}/other/path"})
    assert "Warning" not in answer.headers
    assert await given.scalar("SELECT data ->> 'webhook_secret' FROM users") == SECRET
    answer = await owner.send("PUT", PATH, json={"webhook_url": "https://evil.example/usher"})
    assert (answer.code, "webhook_secret was removed" in answer.headers["Warning"]) == (200, True)
    assert await given.scalar("SELECT data -> 'webhook_secret' FROM users") is None


async def test_a_new_secret_goes_to_the_new_host(owner: Client, given: Scenario) -> None:
    body = {"webhook_url": "https://new.example/usher", "webhook_secret": "another secret"}
    assert "Warning" not in (await owner.send("PUT", PATH, json=body)).headers
    assert await given.scalar("SELECT data ->> 'webhook_secret' FROM users") == "another secret"


async def test_an_operator_who_moves_a_webhook_moves_no_secret(
    owner: Client, admin: Client, given: Scenario, user: User
) -> None:
    data = {"webhook_url": "https://new.example/usher"}
    assert (await admin.send("PATCH", f"/admin/users/{user.id}", json={"data": data})).code == 200
    assert await given.scalar("SELECT data -> 'webhook_secret' FROM users") is None


async def test_null_removes_a_secret_and_a_choice_of_events(owner: Client, given: Scenario) -> None:
    await owner.send("PUT", PATH, json={"webhook_url": URL, "webhook_secret": None, "webhook_events": None})
    assert await given.scalar("SELECT data FROM users") == {"webhook_url": URL}


@pytest.mark.parametrize(
    "events", [["meeting.ended"], {"meeting.done": True}, {"bot.failed": "yes"}, "bot.failed", 1, [{}], [["x"]]]
)
async def test_an_event_that_does_not_exist_is_refused(owner: Client, events: object) -> None:
    answer = await owner.send("PUT", PATH, json={"webhook_url": URL, "webhook_events": events})
    assert (answer.code, answer.body["errors"][0]["loc"]) == (422, ["body", "webhook_events"])


async def test_an_event_of_vexas_own_parts_is_kept_with_a_warning(owner: Client) -> None:
    events = {"meeting.completed": True, "recording.completed": True}
    answer = await owner.send("PUT", PATH, json={"webhook_url": URL, "webhook_events": events})
    assert (answer.code, "recording.completed is never sent" in answer.headers["Warning"]) == (200, True)
