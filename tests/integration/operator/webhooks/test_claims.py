"""Which deliveries are taken, in which order, and when an endpoint rests."""

import pytest
from sqlalchemy import text

from tests.integration.operator.webhooks.outbox import EVERY_EVENT, a_subscriber, fields, ledger
from tests.scenario import Scenario, User
from usher_models.db import webhook_deliveries
from usher_models.db.webhook_deliveries import Claim, Result

URL = "https://example.org/hook"


async def claimed(given: Scenario, *, limit: int = 10, busy: tuple[int, ...] = ()) -> list[Claim]:
    async with given.database.transaction() as connection:
        return await webhook_deliveries.claim(connection, limit=limit, lease_s=30, busy=busy)


async def three_events(given: Scenario) -> User:
    """A user with three deliveries that are due."""
    user = await a_subscriber(given, URL, events=EVERY_EVENT)
    await given.a_bot(user).starting().active()
    assert len(await ledger(given, user)) >= 3
    return user


async def test_what_is_due_longest_is_taken_first(given: Scenario) -> None:
    await three_events(given)
    await given.execute("UPDATE usher.webhook_deliveries SET next_attempt_at = now() - make_interval(secs => id)")
    newest = (await fields(given, "id"))[-1][0]
    async with given.database.transaction() as connection:
        # The order is the statement's, and not that of an index which happens to be used.
        await connection.execute(text("SET LOCAL enable_indexscan = off"))
        await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        (first,) = await webhook_deliveries.claim(connection, limit=1, lease_s=30)
    assert first.id == newest


async def test_a_claim_lasts_for_its_lease(given: Scenario) -> None:
    await three_events(given)
    count = len(await claimed(given))
    assert await claimed(given) == []
    await given.execute("UPDATE usher.webhook_deliveries SET claimed_until = claimed_until - interval '29 seconds'")
    assert await claimed(given) == []
    await given.execute("UPDATE usher.webhook_deliveries SET claimed_until = claimed_until - interval '2 seconds'")
    again = await claimed(given)
    assert [claim.attempts for claim in again] == [2] * count


async def test_busy_users_and_what_is_not_due_are_left(given: Scenario) -> None:
    busy, other = await three_events(given), await three_events(given)
    assert {claim.user_id for claim in await claimed(given, busy=(busy.id,))} == {other.id}
    await given.execute(
        "UPDATE usher.webhook_deliveries SET claimed_until = NULL, next_attempt_at = now() + interval '1 second'"
    )
    assert await claimed(given) == []


async def test_an_endpoint_rests_after_as_many_lost_deliveries_as_the_limit(
    given: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_deliveries, "FAILURES_UNTIL_PAUSE", 3)
    await three_events(given)
    rests = []
    for claim in (await claimed(given))[:3]:
        async with given.database.transaction() as connection:
            rests.append(await webhook_deliveries.settle(connection, claim, Result(delivered=False, status=500)))
    assert rests == [False, False, True]
    assert await given.scalar("SELECT failures FROM usher.webhook_endpoints") == 3


async def test_a_claim_that_was_lost_meanwhile_settles_nothing(given: Scenario) -> None:
    await three_events(given)
    claim = (await claimed(given, limit=1))[0]
    await given.execute("UPDATE usher.webhook_deliveries SET claimed_until = claimed_until + interval '1 second'")
    before = await fields(given, "state", "claimed_until", "delivered_at")
    async with given.database.transaction() as connection:
        assert not await webhook_deliveries.settle(connection, claim, Result(delivered=True))
    assert await fields(given, "state", "claimed_until", "delivered_at") == before
