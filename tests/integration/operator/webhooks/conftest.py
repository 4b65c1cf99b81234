"""Senders that may reach 127.0.0.1, and a receiver there."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.operator.webhooks.receiver import Receiver
from tests.scenario import Scenario
from usher_operator.webhooks.guard import Guard
from usher_operator.webhooks.sender import Sender
from usher_operator.webhooks.transport import Transport


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport(Guard(["127.0.0.1"]))
    yield transport
    await transport.close()


@pytest.fixture
def sender(given: Scenario, transport: Transport) -> Sender:
    return Sender(database=given.database, transport=transport)
