"""The ledger and the redelivery over HTTP, and what setting a webhook does."""

from collections.abc import Awaitable, Callable

from tests.integration.operator.api.client import Client
from tests.integration.operator.webhooks.outbox import ledger
from tests.scenario import Scenario, User

URL = "https://hooks.example.org/usher"
LEDGER = "/user/webhook/deliveries"


async def test_a_webhook_that_is_set_is_told(given: Scenario, me: Client, user: User) -> None:
    events = ["meeting.status_change", "bot.failed"]
    answer = await me.send("PUT", "/user/webhook", json={"webhook_url": URL, "webhook_events": events})
    assert answer.code == 200
    bot = await given.a_bot(user).failed()
    page = (await me.get(LEDGER, limit=2)).body
    assert [each["event_type"] for each in page["deliveries"]] == ["bot.failed", "meeting.status_change"]
    assert (page["limit"], page["offset"], page["has_more"]) == (2, 0, True)
    newest = page["deliveries"][0]
    assert (newest["state"], newest["attempts"], newest["meeting_id"]) == ("pending", 0, bot.meeting_id)
    shown = (await me.get(f"/meetings/{bot.meeting_id}")).body
    told = newest["payload"]["data"]["meeting"]
    same = told.keys() - {"connection_id"}
    assert {key: shown[key] for key in same} == {key: told[key] for key in same}


async def test_events_may_be_chosen_as_vexa_does(given: Scenario, me: Client, user: User) -> None:
    body = {"webhook_url": URL, "webhook_events": {"meeting.started": True}}
    assert (await me.send("PUT", "/user/webhook", json=body)).code == 200
    await given.a_bot(user).active().completed()
    assert [each.event_type for each in await ledger(given, user)] == ["meeting.started", "meeting.completed"]


async def test_a_delivery_is_sent_once_more_for_its_owner_only(
    given: Scenario, me: Client, user: User, as_user: Callable[[User], Awaitable[Client]]
) -> None:
    await me.send("PUT", "/user/webhook", json={"webhook_url": URL})
    await given.a_bot(user).completed()
    await given.execute("UPDATE usher.webhook_deliveries SET state = 'failed', attempts = 13")
    (failed,) = (await me.get(LEDGER)).body["deliveries"]
    stranger = await as_user(await given.a_user())
    path = f"{LEDGER}/{failed['id']}/redeliver"
    assert (await stranger.send("POST", path)).code == 404
    again = await me.send("POST", path)
    assert again.code == 202
    assert (again.body["state"], again.body["attempts"]) == ("pending", 0)
    assert again.body["payload"] == failed["payload"]


async def test_setting_a_webhook_again_resumes_it(given: Scenario, me: Client, user: User, admin: Client) -> None:
    await me.send("PUT", "/user/webhook", json={"webhook_url": URL})
    patch = (admin, "PATCH", f"/admin/users/{user.id}", {"data": {"webhook_url": URL}})
    for client, method, path, body in ((me, "PUT", "/user/webhook", {"webhook_url": URL}), patch):
        await given.execute("INSERT INTO usher.webhook_endpoints VALUES (:id, 20, now())", id=user.id)
        await given.a_bot(user).completed()
        assert (await ledger(given, user))[-1].state == "paused"
        assert (await client.send(method, path, json=body)).code == 200
        assert (await ledger(given, user))[-1].state == "pending"


async def test_what_was_told_of_a_forgotten_meeting_is_forgotten(given: Scenario, me: Client, user: User) -> None:
    await me.send("PUT", "/user/webhook", json={"webhook_url": URL, "webhook_events": ["bot.failed"]})
    for state in ("delivered", "pending"):
        bot = await given.a_bot(user).failed()
        await given.execute(
            "UPDATE usher.webhook_deliveries SET state = :to WHERE meeting_id = :id", to=state, id=bot.meeting_id
        )
        assert (await me.send("DELETE", f"/meetings/{bot.platform}/{bot.native_id}")).code == 200
    assert [each.state for each in await ledger(given, user)] == ["pending"]


async def test_nobody_without_a_key_reads_the_ledger(me: Client) -> None:
    assert (await Client(me.http, {}).get(LEDGER)).code == 401
