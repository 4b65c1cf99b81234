"""Where a swarm learns of its bots: from rows whose Job exists. No pod is needed, nor does one tell them to end."""

import asyncio
from collections.abc import Callable

from sqlalchemy import text

from tests.load.botswarm.bot import Identity, Script
from tests.load.botswarm.swarm import Swarm
from usher_models.db.engine import Database
from usher_models.errors import DatabaseUnavailable

ScriptOf = Callable[[Identity], Script]

_ROWS = text("""
SELECT connection_id, request_namespace AS namespace, job_name, meeting_id FROM usher.bots
WHERE ended_at IS NULL AND job_created_at IS NOT NULL AND pod_uid IS NULL
""")


async def follow_rows(swarm: Swarm, database: Database, script_of: ScriptOf, *, every_s: float = 0.5) -> None:
    """Bring every bot to life whose row has a Job and which has not spoken yet, for ever."""
    while True:
        try:
            async with database.transaction() as connection:
                rows = (await connection.execute(_ROWS)).all()
        except DatabaseUnavailable:
            rows = []
        for row in rows:
            identity = Identity(**row._mapping)
            swarm.add(identity, script_of(identity))
        await asyncio.sleep(every_s)
