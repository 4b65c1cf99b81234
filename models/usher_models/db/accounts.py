"""Users, as Vexa keeps them."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.errors import UnknownUser


async def user_id_by_email(connection: AsyncConnection, email: str) -> int:
    """The id of the user with that address. Raises UnknownUser."""
    found = await connection.scalar(text("SELECT id FROM users WHERE email = :email"), {"email": email})
    if found is None:
        raise UnknownUser(f"No user has the email {email}; create one with `usher user add {email}`.")
    return int(found)


async def add_user(connection: AsyncConnection, email: str, *, max_concurrent_bots: int) -> int:
    """The id of the user with that address, created with that limit, or given it when it exists."""
    return int(
        (
            await connection.execute(
                text(
                    "INSERT INTO users (email, max_concurrent_bots, data, created_at)"
                    " VALUES (:email, :cap, '{}', now() AT TIME ZONE 'utc')"
                    " ON CONFLICT (email) DO UPDATE SET max_concurrent_bots = excluded.max_concurrent_bots"
                    " RETURNING id"
                ),
                {"email": email, "cap": max_concurrent_bots},
            )
        ).scalar_one()
    )
