"""A tenant holds its share of a pool and no more, and gives it back whatever happens."""

import asyncio

import pytest

from usher_models.db.shares import Shares, on_behalf_of
from usher_models.errors import DatabaseBusy


async def hold(shares: Shares, tenant: str | None, until: asyncio.Event, held: list[str | None]) -> None:
    if tenant is None:
        async with shares.own():
            held.append(tenant)
            await until.wait()
        return
    with on_behalf_of(tenant):
        async with shares.own():
            held.append(tenant)
            await until.wait()


async def test_a_tenant_gets_its_share_and_the_others_theirs() -> None:
    shares, until, held = Shares(2, wait_s=10), asyncio.Event(), []  # type: ignore[var-annotated]
    tasks = [asyncio.create_task(hold(shares, tenant, until, held)) for tenant in ["a"] * 5 + ["b", None, None, None]]
    for _ in range(5):
        await asyncio.sleep(0)
    assert sorted(map(str, held)) == ["None", "None", "None", "a", "a", "b"]
    until.set()
    await asyncio.gather(*tasks)
    assert held.count("a") == 5


async def test_a_tenant_that_waits_too_long_is_told_that_it_is_busy() -> None:
    shares, until = Shares(1, wait_s=0.01), asyncio.Event()
    first = asyncio.create_task(hold(shares, "a", until, []))
    await asyncio.sleep(0)
    with pytest.raises(DatabaseBusy, match="1 requests of this user wait for the database already"):
        await hold(shares, "a", until, [])
    until.set()
    await first
    await hold(shares, "a", until, [])


async def test_a_share_is_given_back_when_its_use_fails_or_is_cancelled() -> None:
    shares, never = Shares(1, wait_s=0.01), asyncio.Event()
    with on_behalf_of("a"):
        with pytest.raises(RuntimeError, match="on purpose"):
            async with shares.own():
                raise RuntimeError("on purpose")
        task = asyncio.create_task(hold(shares, "a", never, []))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with shares.own():
            pass
    assert not shares._limits
    assert not shares._users


async def test_what_comes_after_is_not_counted_for_the_tenant() -> None:
    shares = Shares(1, wait_s=0.01)
    with on_behalf_of("a"):
        pass
    async with shares.own(), shares.own():
        assert not shares._limits
