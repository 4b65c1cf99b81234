"""A process that is killed between the commit and the delivery loses nothing."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.integration.operator.webhooks.outbox import a_subscriber, all_due, ledger
from tests.integration.operator.webhooks.receiver import Receiver
from tests.scenario import Scenario
from usher_operator.webhooks.sender import Sender

REPOSITORY = Path(__file__).resolve().parents[4]


async def kill_at(point: str, url: str, connection_id: str) -> None:
    """Run the victim up to that point, and kill it there."""
    victim = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.operator.webhooks.victim",
        url,
        connection_id,
        point,
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert victim.stdout is not None
    assert (await victim.stdout.readline()).decode().strip() == point
    victim.send_signal(signal.SIGKILL)
    assert await victim.wait() == -signal.SIGKILL


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("point", "attempts", "got"), [("committed", 1, 1), ("claimed", 2, 1), ("sent", 2, 2)])
async def test_a_killed_process_loses_no_webhook(
    given: Scenario, database_url: str, sender: Sender, receiver: Receiver, point: str, attempts: int, got: int
) -> None:
    user = await a_subscriber(given, receiver.url)
    bot = await given.a_bot(user).active()
    await kill_at(point, database_url, bot.connection_id)
    if point != "committed":
        assert await sender.send_due() == 0, "the lease of the dead still stands"
    await all_due(given)
    assert await sender.send_due() == 1
    (only,) = await ledger(given, user)
    assert (only.state, only.attempts) == ("delivered", attempts)
    assert len(receiver.got) == got
    assert {(each.headers["webhook-id"], each.body) for each in receiver.got} == {(only.event_id, receiver.got[0].body)}
