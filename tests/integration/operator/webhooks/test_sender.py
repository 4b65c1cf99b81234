"""What the outbox holds arrives, signed, whatever the receiver does; and nothing goes where it must not."""

import asyncio
import random
import time
from collections import defaultdict
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks import Webhook

from tests.fakes.settings import some_settings
from tests.integration.operator.webhooks.outbox import (
    EVERY_EVENT,
    a_subscriber,
    all_due,
    fields,
    ledger,
    set_webhook,
)
from tests.integration.operator.webhooks.receiver import Received, Receiver
from tests.scenario import Scenario
from usher_models.db import webhook_deliveries
from usher_models.db.engine import Database
from usher_models.db.transitions import Closing, close_many
from usher_models.states import Source, Status
from usher_operator.webhooks.backoff import DELAYS_S, JITTER
from usher_operator.webhooks.guard import Guard
from usher_operator.webhooks.sender import LEASE_S, PER_USER, POLL_S, Sender, wait
from usher_operator.webhooks.transport import TIMEOUT_S, Transport
from usher_operator.webhooks.worker import sending

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def broken(_received: Received) -> web.Response:
    return web.Response(status=500, text="x" * 5000 + "\x00")


async def test_a_delivery_arrives_and_can_be_verified(given: Scenario, sender: Sender, receiver: Receiver) -> None:
    user = await a_subscriber(given, receiver.url, secret=SECRET)
    bot = await given.a_bot(user).active().completed()
    assert await sender.send_due() == 1
    (got,) = receiver.got
    event = Webhook(SECRET).verify(got.body, got.headers)
    assert event["data"]["meeting"]["id"] == bot.meeting_id
    (only,) = await ledger(given, user)
    assert (only.state, only.attempts, only.last_status, only.last_error) == ("delivered", 1, 200, None)
    assert only.delivered_at is not None
    assert event == only.payload
    assert got.headers["webhook-id"] == only.event_id


async def test_a_receiver_that_fails_three_of_ten_loses_none(
    given: Scenario, sender: Sender, receiver: Receiver, record_property: Any
) -> None:
    chance = random.Random(7)
    receiver.answer = lambda _: web.Response(status=503 if chance.random() < 0.3 else 200)
    user = await a_subscriber(given, receiver.url, events=EVERY_EVENT)
    for _ in range(10):
        await given.a_bot(user).starting().active().completed()
    rounds = 0
    while await sender.send_due():
        await all_due(given)
        rounds += 1
    told = {each.event_id for each in await ledger(given, user)}
    assert {got.headers["webhook-id"] for got in receiver.taken} == told
    assert len(receiver.taken) == len(told) == 60
    bodies = defaultdict(set)
    for got in receiver.got:
        bodies[got.headers["webhook-id"]].add(got.body)
    assert {len(versions) for versions in bodies.values()} == {1}
    record_property("events", len(told))
    record_property("attempts", len(receiver.got))
    record_property("rounds", rounds)


async def test_two_senders_never_send_the_same_at_once(
    given: Scenario, sender: Sender, transport: Transport, another_database: Database, receiver: Receiver
) -> None:
    user = await a_subscriber(given, receiver.url, events=EVERY_EVENT)
    for _ in range(5):
        await given.a_bot(user).starting().active().completed()
    second = Sender(database=another_database, transport=transport)
    counts = await asyncio.gather(sender.send_due(), second.send_due())
    assert sum(counts) == 30 == len(receiver.got)
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 30


async def test_a_claim_is_nobody_elses_until_its_lease_ends(given: Scenario, sender: Sender) -> None:
    await given.a_bot(await a_subscriber(given, "http://127.0.0.1:1/")).completed()
    (first,) = await sender.claim()
    assert await sender.claim() == []
    await given.execute("UPDATE usher.webhook_deliveries SET claimed_until = now()")
    (second,) = await sender.claim()
    assert (second.id, second.body, second.attempts) == (first.id, first.body, 2)
    async with given.database.transaction() as connection:
        await webhook_deliveries.settle(connection, first, webhook_deliveries.Result(delivered=True))
    assert await fields(given, "state", "attempts") == [("pending", 2)]


def test_a_lease_outlasts_an_attempt() -> None:
    assert LEASE_S >= 2 * TIMEOUT_S


async def test_retries_follow_the_schedule_and_end(given: Scenario, sender: Sender, receiver: Receiver) -> None:
    receiver.answer = broken
    user = await a_subscriber(given, receiver.url)
    await given.a_bot(user).completed()
    for attempt, delay in enumerate(DELAYS_S, start=1):
        assert await sender.send_due() == 1
        ((state, attempts, wait),) = await fields(
            given, "state", "attempts", "extract(epoch FROM next_attempt_at - now())::float"
        )
        assert (state, attempts) == ("pending", attempt)
        assert delay * (1 - JITTER) - 5 <= wait <= delay * (1 + JITTER)
        await all_due(given)
    assert await sender.send_due() == 1
    (dead,) = await ledger(given, user)
    assert (dead.state, dead.attempts, dead.last_status, dead.next_attempt_at) == (
        "failed",
        len(DELAYS_S) + 1,
        500,
        None,
    )
    assert dead.last_error is not None
    assert len(dead.last_error) < 1100
    await all_due(given)
    assert await sender.send_due() == 0


async def exhausted(given: Scenario) -> None:
    """Let each delivery be at its last attempt."""
    await given.execute("UPDATE usher.webhook_deliveries SET attempts = :last", last=len(DELAYS_S))


async def test_a_dead_endpoint_is_paused_and_resumes(given: Scenario, sender: Sender, receiver: Receiver) -> None:
    receiver.answer = broken
    user = await a_subscriber(given, receiver.url)
    for _ in range(webhook_deliveries.FAILURES_UNTIL_PAUSE + 5):
        await given.a_bot(user).completed()
    await given.execute(
        "UPDATE usher.webhook_deliveries SET attempts = :last WHERE id IN"
        " (SELECT id FROM usher.webhook_deliveries ORDER BY id LIMIT :failing)",
        last=len(DELAYS_S),
        failing=webhook_deliveries.FAILURES_UNTIL_PAUSE,
    )
    await sender.send_due()
    await given.a_bot(user).completed()
    states = [each.state for each in await ledger(given, user)]
    assert states == ["failed"] * webhook_deliveries.FAILURES_UNTIL_PAUSE + ["paused"] * 6
    await all_due(given)
    assert await sender.send_due() == 0
    async with given.database.transaction() as connection:
        assert await webhook_deliveries.resume(connection, user.id) == 6
    receiver.answer = lambda _: web.Response()
    assert await sender.send_due() == 6
    assert await given.scalar("SELECT count(*) FROM usher.webhook_endpoints") == 0


async def test_a_success_forgets_the_failures(given: Scenario, sender: Sender, receiver: Receiver) -> None:
    receiver.answer = broken
    user = await a_subscriber(given, receiver.url)
    await given.a_bot(user).completed()
    await exhausted(given)
    await sender.send_due()
    assert await given.scalar("SELECT failures FROM usher.webhook_endpoints") == 1
    receiver.answer = lambda _: web.Response()
    await given.a_bot(user).completed()
    await sender.send_due()
    assert await given.scalar("SELECT failures FROM usher.webhook_endpoints") == 0


async def test_a_receiver_that_is_gone_is_paused_at_once(given: Scenario, sender: Sender, receiver: Receiver) -> None:
    receiver.answer = lambda _: web.Response(status=410)
    user = await a_subscriber(given, receiver.url)
    await given.a_bot(user).completed()
    await sender.send_due()
    await given.a_bot(user).completed()
    assert [each.state for each in await ledger(given, user)] == ["failed", "paused"]


async def test_a_redelivery_has_the_same_id_and_content_and_resumes(
    given: Scenario, sender: Sender, receiver: Receiver
) -> None:
    receiver.answer = lambda _: web.Response(status=410)
    user, stranger = await a_subscriber(given, receiver.url), await given.a_user()
    await given.a_bot(user).completed()
    await sender.send_due()
    await given.a_bot(user).completed()
    first = (await ledger(given, user))[0]
    async with given.database.transaction() as connection:
        assert await webhook_deliveries.redeliver(connection, first.id, stranger.id) is None
        again = await webhook_deliveries.redeliver(connection, first.id, user.id)
    assert again is not None
    assert (again.state, again.attempts) == ("pending", 0)
    receiver.answer = lambda _: web.Response()
    await sender.send_due()
    assert [each.state for each in await ledger(given, user)] == ["delivered", "delivered"]
    assert receiver.got[0].body in {got.body for got in receiver.taken}


async def test_redirects_are_not_followed(given: Scenario, sender: Sender, receiver: Receiver) -> None:
    async with Receiver() as elsewhere:
        receiver.answer = lambda _: web.Response(status=307, headers={"Location": elsewhere.url})
        user = await a_subscriber(given, receiver.url)
        await given.a_bot(user).completed()
        await sender.send_due()
        assert elsewhere.got == []
    (only,) = await ledger(given, user)
    assert (only.state, only.last_status) == ("pending", 307)


class Rebinding(AbstractResolver):
    """A name that is public when it is asked the first time, and here from then on."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        address = self.answers.pop(0)
        return [ResolveResult(hostname=host, host=address, port=port, family=2, proto=0, flags=0)]

    async def close(self) -> None:
        return


async def test_a_name_that_turns_private_is_refused(given: Scenario, receiver: Receiver) -> None:
    port = receiver.url.split(":")[2].removesuffix("/hook")
    user = await a_subscriber(given, f"http://rebinding.example.org:{port}/hook?token=hush")
    await given.a_bot(user).completed()
    transport = Transport(Guard(), resolver=Rebinding("127.0.0.1"))
    assert await Sender(database=given.database, transport=transport).send_due() == 1
    await transport.close()
    assert receiver.got == []
    (only,) = await ledger(given, user)
    assert (only.state, only.last_status) == ("pending", None)
    assert only.last_error == "The webhook's host has an address that is not public."


async def test_the_connection_goes_to_the_address_that_was_checked(given: Scenario, receiver: Receiver) -> None:
    port = receiver.url.split(":")[2].removesuffix("/hook")
    await given.a_bot(await a_subscriber(given, f"http://hooks.example.org:{port}/hook")).completed()
    names = Rebinding("127.0.0.1")
    transport = Transport(Guard(["127.0.0.1"]), resolver=names)
    await Sender(database=given.database, transport=transport).send_due()
    await transport.close()
    assert len(receiver.taken) == 1
    assert names.answers == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::1]/", "http://2130706433/", "gopher://x/", "no url"])
async def test_what_must_not_be_reached_is_noted_and_harmless(given: Scenario, url: str) -> None:
    user = await a_subscriber(given, url)
    await given.a_bot(user).completed()
    transport = Transport(Guard())
    assert await Sender(database=given.database, transport=transport).send_due() == 1
    await transport.close()
    (only,) = await ledger(given, user)
    assert only.last_error is not None
    assert only.last_error.startswith("The webhook's")


async def test_a_receiver_that_hangs_costs_its_timeout(given: Scenario, receiver: Receiver) -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", hang)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    user = await a_subscriber(given, f"http://127.0.0.1:{runner.addresses[0][1]}/")
    await given.a_bot(user).completed()
    transport = Transport(Guard(["127.0.0.1"]), timeout_s=0.2)
    await Sender(database=given.database, transport=transport).send_due()
    await transport.close()
    await runner.cleanup()
    (only,) = await ledger(given, user)
    assert only.last_error == "The receiver did not answer in time."


async def test_a_user_who_gave_the_webhook_up_gets_nothing(given: Scenario, sender: Sender, receiver: Receiver) -> None:
    user = await a_subscriber(given, receiver.url)
    await given.a_bot(user).completed()
    await set_webhook(given, user, None)
    await sender.send_due()
    (only,) = await ledger(given, user)
    assert (only.state, receiver.got) == ("failed", [])
    assert await given.scalar("SELECT count(*) FROM usher.webhook_endpoints") == 0


async def test_one_users_backlog_leaves_room_for_others(given: Scenario, sender: Sender) -> None:
    greedy = await a_subscriber(given, "http://127.0.0.1:1/")
    for _ in range(PER_USER + 3):
        await given.a_bot(greedy).completed()
    other = await a_subscriber(given, "http://127.0.0.1:1/")
    await given.a_bot(other).completed()
    assert [each.user_id for each in await sender.claim()] == [greedy.id] * PER_USER
    assert [each.user_id for each in await sender.claim()] == [other.id]


async def test_the_loop_sends_and_finishes_what_is_under_way(
    given: Scenario, sender: Sender, receiver: Receiver
) -> None:
    def stopping(_received: Received) -> web.Response:
        sender.stop()
        return web.Response()

    receiver.answer = stopping
    user = await a_subscriber(given, receiver.url)
    await given.a_bot(user).completed()
    async with asyncio.timeout(20):
        await sender.run()
    assert [each.state for each in await ledger(given, user)] == ["delivered"]


@pytest.mark.own_database
async def test_a_burst_of_one_user_does_not_wait_for_the_next_look(
    given: Scenario, sender: Sender, receiver: Receiver, record_property: Any
) -> None:
    user = await a_subscriber(given, receiver.url)
    bots = await given.copies_of(await given.a_bot(user).active(), 200)
    async with given.database.transaction() as connection:
        ended = [Closing(meeting_id=bot.meeting_id, reason="exited_zero") for bot in bots]
        await close_many(connection, ended, target=Status.COMPLETED, source=Source.EVIDENCE)

    def counting(_received: Received) -> web.Response:
        if len(receiver.got) == len(bots):
            sender.stop()
        return web.Response()

    receiver.answer = counting
    began = time.monotonic()
    await sender.run()
    took = time.monotonic() - began
    assert len(receiver.taken) == len(bots)
    record_property("deliveries a second, one user", round(len(bots) / took))
    assert took < len(bots) / PER_USER * POLL_S / 2


async def test_the_loop_outlives_the_database(no_database: Database, transport: Transport) -> None:
    sender = Sender(database=no_database, transport=transport)
    running = asyncio.create_task(sender.run())
    await asyncio.sleep(0.2)
    assert not running.done()
    sender.stop()
    await running


@pytest.mark.parametrize("enabled", [True, False])
async def test_serving_sends_unless_it_is_switched_off(given: Scenario, receiver: Receiver, enabled: bool) -> None:
    user = await a_subscriber(given, receiver.url)
    await given.a_bot(user).completed()
    arrived = asyncio.Event()

    def arriving(_received: Received) -> web.Response:
        arrived.set()
        return web.Response()

    receiver.answer = arriving
    settings = some_settings(webhooks_enabled=enabled, webhook_allowed_hosts=("127.0.0.0/8",))
    async with sending(given.database, settings):
        await wait(arrived, 10 if enabled else 0.2)
    assert [each.state for each in await ledger(given, user)] == ["delivered" if enabled else "pending"]


async def test_old_deliveries_are_forgotten(given: Scenario, sender: Sender, receiver: Receiver) -> None:
    user = await a_subscriber(given, receiver.url, events=EVERY_EVENT)
    await given.a_bot(user).completed()
    await sender.send_due()
    await given.a_bot(user)
    await given.execute("UPDATE usher.webhook_deliveries SET created_at = created_at - interval '31 days'")
    async with given.database.transaction() as connection:
        assert await webhook_deliveries.prune(connection, days=30, limit=100) == 3
    assert [each.state for each in await ledger(given, user)] == ["pending"]
