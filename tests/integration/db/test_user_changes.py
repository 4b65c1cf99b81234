"""Changes of a user that read before they write."""

import asyncio

from tests.scenario import Scenario
from usher_models.db import users


async def test_nobody_changes_data_between_its_reading_and_the_end_of_the_transaction(given: Scenario) -> None:
    user = await given.a_user()

    async def change() -> None:
        async with given.database.transaction() as connection:
            await users.change_user(connection, user.id, data={"webhook_url": "https://another.example/hook"})

    async with given.database.transaction() as connection:
        assert await users.locked_data(connection, user.id) == {}
        changing = asyncio.create_task(change())
        await asyncio.sleep(0.2)
        assert not changing.done()
    await changing
    assert await given.scalar("SELECT data ->> 'webhook_url' FROM users") == "https://another.example/hook"
