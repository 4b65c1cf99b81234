"""The installation has one identity, which stays as long as its schema."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.databases import Server
from usher_models.db import upgrade
from usher_models.db.engine import Database
from usher_models.db.installation import installation_id


async def _id(database: Database) -> str:
    async with database.reading() as connection:
        return str(await installation_id(connection))


async def test_the_installation_keeps_its_id_through_a_second_upgrade(database: Database) -> None:
    before = await _id(database)
    await upgrade.upgrade(database)
    assert await _id(database) == before


async def test_the_installation_has_one_id(database: Database) -> None:
    with pytest.raises(IntegrityError, match="installation_is_one_row"):
        async with database.transaction() as connection:
            await connection.execute(text("INSERT INTO usher.installation DEFAULT VALUES"))


async def test_two_databases_are_two_installations(server: Server, database: Database) -> None:
    url = server.create()
    other = Database.connect(url)
    await upgrade.upgrade(other)
    assert await _id(other) != await _id(database)
    await other.close()
    server.drop(url)
