"""A dump of an hour ago is restored beneath the running bots, with the commands of the guide."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from dev.machine.commands import run
from tests.faults.rewinding.ground import Ground
from tests.faults.rewinding.rewind import Facts

# Everything that happened is an hour older than it was, as it would be in a dump of that age.
_AGE = """
DO $$
DECLARE one record;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR one IN
        SELECT format('%I.%I', table_schema, table_name) AS relation,
               string_agg(format('%1$I = %1$I - interval ''1 hour''', column_name), ', ') AS changes
        FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema IN ('usher', 'public') AND table_type = 'BASE TABLE' AND data_type LIKE 'timestamp%'
        GROUP BY 1
    LOOP
        EXECUTE format('UPDATE %s SET %s', one.relation, one.changes);
    END LOOP;
END $$
"""


class RestoredDump:
    """See the module."""

    facts = Facts(name="dump of an hour ago")

    def __init__(self) -> None:
        self._dump = Path()

    async def mark(self, ground: Ground, stack: AsyncExitStack) -> None:
        self._dump = Path(stack.enter_context(TemporaryDirectory(prefix="usher-rewind-"))) / "usher.dump"
        words = ("--format=custom", f"--file={self._dump}", ground.database)
        await asyncio.to_thread(_postgres, ground, "pg_dump", *words)

    async def go_back(self, ground: Ground) -> None:
        name = ground.database
        anew = (f'DROP DATABASE "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}" TEMPLATE template0')
        async with ground.away():
            await asyncio.to_thread(ground.sql, *anew)
            await asyncio.to_thread(_postgres, ground, "pg_restore", f"--dbname={name}", str(self._dump))
            await asyncio.to_thread(ground.sql, _AGE, database=name)


def _postgres(ground: Ground, program: str, *words: str) -> None:
    settings = ground.installation.stores.settings
    where = ["--host=127.0.0.1", f"--port={settings.postgres_port}", f"--username={settings.user}"]
    run([str(settings.postgres_bin / program), *where, *words])
