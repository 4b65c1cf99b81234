"""The installation's identity: what tells this database's Jobs, pods and BotRequests from another's.

It is made with the schema and lives as long as it: a restored database is the same installation, an empty one is not.
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_READ = text("SELECT id FROM usher.installation")


async def installation_id(connection: AsyncConnection) -> UUID:
    """The UUID of this installation, as every object that Usher makes in Kubernetes carries it."""
    return UUID(str((await connection.execute(_READ)).scalar_one()))
