"""A connection that gives up a server which takes bytes and never answers.

The server ends statements that last too long, and TCP notices a peer that is gone. Neither helps against a server that
hangs: its disk is stuck, its process is stopped, or a balancer in between keeps connections to a primary that was
replaced. Such a connection would be waited for until the process is restarted.
"""

from typing import Any

import psycopg
from psycopg.abc import PQGen

from usher_models.db.session import STATEMENT_TIMEOUT_MS

# The server ends a statement before, unless it hangs.
ANSWER_TIMEOUT_S = STATEMENT_TIMEOUT_MS / 1000 + 5


class PatientConnection(psycopg.AsyncConnection[Any]):
    """Closed when an answer takes longer than `answer_timeout_s`."""

    answer_timeout_s: float = ANSWER_TIMEOUT_S

    async def wait[Result](
        self,
        gen: PQGen[Result],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's
    ) -> Result:
        """What psycopg waits for everything with. Raises OperationalError."""
        try:
            return await super().wait(gen, interval, timeout or self.answer_timeout_s)
        except psycopg.errors._WaitTimeout as exc:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.answer_timeout_s:g} s") from exc
