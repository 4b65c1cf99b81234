"""A million attempts to reserve a slot: 64 connections, 50 users, random releases and crashes; nobody is oversold.

The statements are production's own (`usher_models.db.reservations`), put into one procedure that loops in the server
and commits each attempt by itself, so that 64 backends contend for the users' rows as fast as Postgres can. A crash is
a transaction that is rolled back after it inserted. A holder notes the span in which its slot was certainly held: from
after its commit until before its release begins. The largest overlap of these spans is computed by SQL.
"""

import asyncio
import re

import psycopg

from tests.databases import own_database
from tests.faults.figures import Figure, Scale, exactly
from tests.scenario import Scenario, a_request
from usher_models.db import reservations
from usher_models.db.engine import Database
from usher_models.errors import CapReached
from usher_models.states import HOLDS_SLOT

LONG = True
ATTEMPTS, QUICK_ATTEMPTS = 1_000_000, 20_000
CONNECTIONS, USERS = 64, 50
CAPS = (0, 1, 2, 3, 5, 8)
CHUNK = 250

# What the parameters of production's statements are inside the procedure.
_VARIABLES = {
    "user_id": "who",
    "connection_id": "connection",
    "platform": "'zoom'",
    "native_id": "connection",
    "holds": "holds",
    "request_namespace": "'bots'",
    "request_name": "connection",
    "request_uid": "left(connection, 36)",
    "request_generation": "1",
    "spec": "'{}'",
    "config": "'{}'",
    "stage": "'scheduling'",
    "lobby_timeout_s": "900",
    "max_duration_s": "14400",
    "request_ttl_s": "NULL",
    "installation": "NULL",
    "highest_id": "0",
    "source": "'api'",
    "reason": "'requested'",
    "message": "'raced'",
    "has_job": "false",
}


# A history of ten thousand meetings a user would be what is measured; those that are over are taken out.
_RELEASE = """
UPDATE meetings SET status = 'completed' WHERE id = AN_ID;
DELETE FROM meeting_sessions WHERE meeting_id = AN_ID;
DELETE FROM usher.heartbeats WHERE meeting_id = AN_ID;
DELETE FROM meetings WHERE id = AN_ID;
"""


def _inside(statement: str) -> str:
    """A statement of production's with the procedure's variables for its parameters."""
    return re.sub(r"(?<!:):([a-z_]+)\b", lambda found: _VARIABLES[found[1]], statement)


def _procedure(*, lock: str) -> str:
    holds = ", ".join(f"'{status}'" for status in sorted(HOLDS_SLOT))
    return f"""
CREATE TABLE spans (user_id integer, meeting_id integer PRIMARY KEY, held_from timestamptz, held_until timestamptz);
CREATE TABLE outcomes (what text, count bigint);
CREATE PROCEDURE race(attempts integer, client integer, users integer[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    holds varchar[] := ARRAY[{holds}];
    who integer; cap integer; connection varchar; held integer; mine integer[] := '{{}}'; owner integer[] := '{{}}';
    verdict record; pick integer; admitted bigint := 0; refused bigint := 0; crashed bigint := 0;
BEGIN
    FOR number IN 1..attempts LOOP
        who := users[1 + floor(random() * array_length(users, 1))];
        connection := 'race-' || client || '-' || number || '-' || floor(random() * 1e9)::bigint;
        {_inside(lock).replace("SELECT max_concurrent_bots FROM", "SELECT max_concurrent_bots INTO cap FROM")};
        {_inside(reservations._RESERVE.text).replace("FROM used LEFT JOIN", "INTO verdict FROM used LEFT JOIN")};
        held := verdict.meeting_id;
        IF held IS NULL THEN
            refused := refused + 1;
            COMMIT;
        ELSIF random() < 0.05 THEN
            crashed := crashed + 1;
            ROLLBACK;
        ELSE
            COMMIT;
            INSERT INTO spans VALUES (who, held, clock_timestamp(), NULL);
            admitted := admitted + 1;
            mine := mine || held;
            COMMIT;
        END IF;
        IF cardinality(mine) > 0 AND random() < 0.6 THEN
            pick := 1 + floor(random() * cardinality(mine));
            UPDATE spans SET held_until = clock_timestamp() WHERE meeting_id = mine[pick];
            COMMIT;
            {_RELEASE.replace("AN_ID", "mine[pick]")}
            mine := mine[:pick - 1] || mine[pick + 1:];
            COMMIT;
        END IF;
    END LOOP;
    FOREACH pick IN ARRAY mine LOOP
        UPDATE spans SET held_until = clock_timestamp() WHERE meeting_id = pick;
        COMMIT;
        {_RELEASE.replace("AN_ID", "pick")}
        COMMIT;
    END LOOP;
    INSERT INTO outcomes VALUES ('admitted', admitted), ('refused', refused), ('crashed', crashed);
END $$;
"""


_OVERLAPS = """
WITH steps AS (
    SELECT user_id, held_from AS at, 1 AS change FROM spans WHERE held_from < held_until
    UNION ALL SELECT user_id, held_until, -1 FROM spans WHERE held_from < held_until
), levels AS (
    SELECT user_id, sum(change) OVER (PARTITION BY user_id ORDER BY at, change) AS level FROM steps
)
SELECT u.id, u.max_concurrent_bots, coalesce(max(level), 0)
FROM users u LEFT JOIN levels l ON l.user_id = u.id GROUP BY 1, 2 ORDER BY 1
"""


async def run(scale: Scale) -> list[Figure]:
    """Race, then look at every user."""
    attempts = QUICK_ATTEMPTS if scale.quick else ATTEMPTS
    return await race(attempts, scale=scale, lock=reservations.LOCK_USER.text)


async def race(attempts: int, *, scale: Scale, lock: str) -> list[Figure]:
    """The same with another statement where the user's row is locked: a broken guard must show."""
    async with own_database(pool_size=8) as (database, url):
        given = Scenario(database)
        users = [(await given.a_user(cap=CAPS[number % len(CAPS)])).id for number in range(USERS)]
        dsn = url.replace("+psycopg", "")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(_procedure(lock=lock).encode())
        await _all(dsn, attempts, users, scale=scale)
        overlaps = await _overlaps(dsn)
        outcomes = await _outcomes(dsn)
        scale.say(f"{outcomes['admitted']} admitted, {outcomes['refused']} refused, {outcomes['crashed']} crashed")
        under = await _under_admitted(database, overlaps)
    return [
        exactly("attempts to reserve", sum(outcomes.values()), attempts // CONNECTIONS * CONNECTIONS),
        exactly("users over their cap", sum(level > cap for _, cap, level in overlaps), 0),
        Figure(
            name="users whose cap was reached",
            value=sum(level >= cap for _, cap, level in overlaps),
            bound=f"≥ {USERS // 2} of {USERS}: the cap was fought for",
            ok=sum(level >= cap for _, cap, level in overlaps) >= USERS // 2,
        ),
        exactly("users refused below their cap when all is quiet", under, 0),
    ]


async def _all(dsn: str, attempts: int, users: list[int], *, scale: Scale) -> None:
    each = attempts // CONNECTIONS
    done = 0

    async def client(number: int) -> None:
        nonlocal done
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute("CALL race(%s, %s, %s)", (each, number, users))
        done += 1
        if done % 8 == 0:
            scale.say(f"{done} of {CONNECTIONS} connections are done with their {each} attempts")

    async with asyncio.TaskGroup() as group:
        for number in range(CONNECTIONS):
            group.create_task(client(number))


async def _overlaps(dsn: str) -> list[tuple[int, int, int]]:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute(_OVERLAPS.encode())
        return [(int(user), int(cap), int(level)) for user, cap, level in await cursor.fetchall()]


async def _outcomes(dsn: str) -> dict[str, int]:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute("SELECT what, sum(count)::bigint FROM outcomes GROUP BY 1")
        return dict(await cursor.fetchall())


async def _under_admitted(database: Database, overlaps: list[tuple[int, int, int]]) -> int:
    """How many users are refused a slot that is free, now that nothing else happens."""
    given = Scenario(database)
    wrong = 0
    for user_id, cap, _ in overlaps:
        user = await given.a_user(cap=0)
        held = 0
        try:
            for _ in range(cap + 1):
                async with database.transaction() as connection:
                    await reservations.reserve(connection, a_request(user, user_id=user_id))
                held += 1
        except CapReached:
            pass
        wrong += held != cap
    return wrong
