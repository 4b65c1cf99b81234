"""The audit trail, read back when all is over. It is what the trail says, and nothing that a rule believes."""

from sqlalchemy import text

from tests.faults.history.format import Outcome, What
from tests.faults.history.recorder import Recorder
from usher_models.db.engine import Database

_TRAIL = text("""
SELECT t.meeting_id AS meeting, b.connection_id AS connection, m.user_id AS "user", m.platform,
       m.platform_specific_id AS native_id, t.seq, t.from_status AS "from", t.to_status AS "to", t.source, t.reason,
       t.event_id AS event, CAST(extract(epoch FROM t.at) * 1000000 AS bigint) AS at
FROM usher.transitions t JOIN usher.bots b ON b.meeting_id = t.meeting_id JOIN meetings m ON m.id = t.meeting_id
ORDER BY t.meeting_id, t.seq
""")

# A sender that was killed holds what it had claimed for a minute; nobody has to sit that out.
_LAPSE = text("""
UPDATE usher.webhook_deliveries SET claimed_until = NULL, next_attempt_at = now() WHERE state = 'pending'
""")


async def read_trail(recorder: Recorder, truth: Database) -> dict[int, list[tuple[int, str | None, str, int]]]:
    """Write down every row; by meeting, each one's number, where it led from and to, and whose it is."""
    number = recorder.invoke("auditor", What.READ_TRAIL)
    async with truth.transaction() as connection:
        rows = (await connection.execute(_TRAIL)).all()
    found: dict[int, list[tuple[int, str | None, str, int]]] = {}
    for row in rows:
        recorder.see("auditor", What.AUDIT, **row._mapping)
        steps = found.setdefault(row.meeting, [])
        steps.append((row.seq, row._mapping["from"], row.to, row.user))
    recorder.answer(number, Outcome.OK, rows=len(rows))
    return found


async def lapse_claims(truth: Database) -> None:
    """Let every delivery that is still to come be due now."""
    async with truth.transaction() as connection:
        await connection.execute(_LAPSE)
