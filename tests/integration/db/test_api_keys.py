"""Keys that an earlier Usher stored in Vexa's table move out of it: there, a digest was a working key."""

from alembic import command
from sqlalchemy import Connection, text

from tests.scenario import Scenario
from usher_models.db import api_tokens, revisions, upgrade
from usher_models.db.engine import Database

KEY = "usher_0123456789abcdef"
OLD = f"usher_sha256:{api_tokens.digest(KEY).hex()}"
BEFORE = "0006"


def _back(connection: Connection) -> None:
    command.downgrade(revisions.config(connection), BEFORE)


async def test_a_stored_digest_moves_with_its_limits(empty_database_url: str) -> None:
    database = Database.connect(empty_database_url)
    await upgrade.upgrade(database)
    given = Scenario(database)
    user = await given.a_user()
    async with database.transaction() as connection:
        await connection.run_sync(_back)
        await connection.execute(
            text(
                "INSERT INTO api_tokens (token, user_id, name, scopes, created_at, expires_at) VALUES"
                " (:old, :id, 'ci', '{bot}', '2025-01-01', '2100-01-01'), ('plain', :id, NULL, '{}', NULL, NULL),"
                " ('usher_sha256:nonsense', :id, NULL, '{}', NULL, NULL)"
            ),
            {"old": OLD, "id": user.id},
        )
    await upgrade.upgrade(database)
    async with database.transaction() as connection:
        left = list(await connection.scalars(text("SELECT token FROM api_tokens ORDER BY token")))
        owner = await api_tokens.owner_of(connection, KEY)
        (*_, moved) = await api_tokens.tokens_of(connection, user.id)
    await database.close()
    assert left == ["plain", "usher_sha256:nonsense"]
    assert owner is not None
    assert (owner.user_id, owner.scopes) == (user.id, frozenset({"bot"}))
    assert (moved.name, moved.hashed, moved.id >= api_tokens.FIRST_OWN_ID) == ("ci", True, True)
    assert moved.created_at is not None
    assert moved.created_at.year == 2025
