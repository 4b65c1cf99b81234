"""`usher smoke`: passes when a bot completed its meeting, and leaves no BotRequest behind either way."""

import pytest

from tests.fakes.kube import FakeKube
from tests.scenario import Scenario
from usher_models.db import bots, reservations
from usher_models.platforms import resolve
from usher_models.states import Source, Status
from usher_operator.cli.smoke import Smoke

NAMESPACE = "bots"


class Time:
    """A clock that waits move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("end", [Status.COMPLETED, Status.FAILED])
async def test_it_passes_when_its_bot_completed_its_meeting(given: Scenario, kube: FakeKube, end: Status) -> None:
    said: list[str] = []
    time = Time()

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds)
        (body,) = kube.requests.values()
        if time.now == 1:
            await _reserve(given, body["spec"])
        elif time.now == 2:
            async with given.database.transaction() as connection:
                bot = await bots.bot_by_connection(connection, "connection-of-smoke")
            assert bot is not None
            await given.ends(bot, end)

    smoke = Smoke(database=given.database, kube=kube, namespace=NAMESPACE, say=said.append)
    assert await smoke.run("smoke-1", timeout_s=30, clock=time, sleep=sleep) is (end is Status.COMPLETED)
    assert said[0] == "Waiting for operate to take up the BotRequest."
    assert kube.requests == {}


async def _reserve(given: Scenario, spec: dict[str, object]) -> None:
    wanted = reservations.Request(
        connection_id="connection-of-smoke",
        user_id=int(str(spec["userId"])),
        meeting=resolve(platform="jitsi", native_id=str(spec["nativeMeetingId"])),
        source=Source.OPERATOR,
        request_namespace=NAMESPACE,
        request_name="smoke-1",
        request_uid="uid-of-smoke",
    )
    async with given.database.transaction() as connection:
        await reservations.reserve(connection, wanted)


async def test_it_fails_when_nobody_takes_up_the_request(given: Scenario, kube: FakeKube) -> None:
    said: list[str] = []
    time = Time()
    smoke = Smoke(database=given.database, kube=kube, namespace=NAMESPACE, say=said.append)
    assert not await smoke.run("smoke-1", timeout_s=5, clock=time, sleep=time.sleep)
    assert said == ["Waiting for operate to take up the BotRequest.", "Time is up."]
    assert kube.requests == {}
