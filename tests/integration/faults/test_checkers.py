"""The checkers of the fault runs find each planted violation of an invariant, and nothing where nothing is wrong."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tests.faults.harness import checkers
from tests.faults.harness.api import Api, Json
from tests.scenario import Scenario
from usher_models.db.bots import Bot
from usher_models.states import Status

FINISHED = {"conditions": [{"type": "Complete", "status": "True"}]}


@dataclass
class World:
    """What an API server would list."""

    botrequests: list[Json] = field(default_factory=list)
    jobs: list[Json] = field(default_factory=list)
    pods: list[Json] = field(default_factory=list)

    async def items(self, path: str) -> list[Json]:
        """See Api."""
        return list(getattr(self, path.rpartition("/")[2]))

    def has_all_of(self, bot: Bot, *, phase: str | None = None) -> None:
        """What is there of a bot that lives."""
        self.botrequests.append(a_botrequest(bot, phase=phase))
        self.jobs.append(an_object(bot))
        self.pods.append(an_object(bot, phase="Running"))


def an_object(bot: Bot, **status: Any) -> Json:
    return {"metadata": {"annotations": {checkers.CONNECTION: bot.connection_id}}, "status": status}


def a_botrequest(bot: Bot, *, phase: str | None = None) -> Json:
    return {
        "metadata": {"name": bot.request_name, "uid": bot.request_uid},
        "status": {"phase": phase} if phase else {},
    }


@pytest.fixture
def world() -> World:
    """An API server without anything."""
    return World()


async def always(given: Scenario) -> list[str]:
    return await checkers.always(given.database)


async def quiet(given: Scenario, world: World, *healthy: Bot) -> list[str]:
    fleet = checkers.Fleet(
        database=given.database,
        api=cast("Api", world),
        namespace="bots",
        healthy=frozenset(bot.connection_id for bot in healthy),
    )
    return await checkers.quiet(fleet)


async def test_nothing_is_found_in_lives_that_went_well(given: Scenario, world: World) -> None:
    user = await given.a_user(cap=3)
    live = await given.a_bot(user).with_job().starting().active()
    world.has_all_of(live)
    done = await given.a_bot(user).with_job().starting().active().stopping().completed()
    failed = await given.a_bot(user).failed()
    world.botrequests += [a_botrequest(done, phase="completed"), a_botrequest(failed, phase="failed")]
    world.jobs.append(an_object(done, **FINISHED))
    assert await always(given) == []
    assert await quiet(given, world, live) == []


async def test_a_user_over_the_cap_is_found(given: Scenario) -> None:
    user = await given.a_user(cap=2)
    for _ in range(2):
        await given.a_bot(user).active()
    await given.execute("UPDATE users SET max_concurrent_bots = 1")
    assert await always(given) == [f"I1: user {user.id} holds 2 slots of 1"]


@pytest.mark.parametrize("planted", ["reason = ''", "reason = 'Not a word'", "message = ''", "ended_at = NULL"])
async def test_an_end_without_a_reason_or_a_sentence_is_found(given: Scenario, planted: str) -> None:
    await given.a_bot().failed()
    await given.execute(f"UPDATE usher.bots SET {planted}")
    (finding,) = await always(given)
    assert finding.startswith("I5: ")


async def test_a_move_after_the_end_is_found(given: Scenario) -> None:
    bot = await given.a_bot().active().completed()
    await given.execute(
        "INSERT INTO usher.transitions (meeting_id, seq, from_status, to_status, source, reason, event_id)"
        " SELECT meeting_id, seq + 1, 'completed', 'failed', source, reason, 'planted' FROM usher.transitions"
        " ORDER BY seq DESC LIMIT 1"
    )
    await given.execute("UPDATE usher.bots SET transition_seq = transition_seq + 1")
    await given.execute("UPDATE meetings SET status = 'failed'")
    assert await always(given) == [f"I7: meeting {bot.meeting_id} moved from completed to failed"]


@pytest.mark.parametrize(
    "planted",
    [
        "UPDATE meetings SET status = 'stopping'",
        "DELETE FROM usher.transitions",
        "DELETE FROM usher.transitions WHERE seq = 1",
        "DELETE FROM usher.transitions WHERE seq = 2",
        "UPDATE usher.transitions SET from_status = 'stopping' WHERE seq = 3",
        "UPDATE usher.bots SET transition_seq = transition_seq + 1",
    ],
)
async def test_a_status_without_its_trail_is_found(given: Scenario, planted: str) -> None:
    await given.a_bot().starting().active()
    await given.execute(planted)
    (finding,) = await always(given)
    assert finding.startswith("I8: ")


async def test_a_heartbeat_row_that_outlives_its_meeting_is_found(given: Scenario) -> None:
    bot = await given.a_bot().active().completed()
    await given.execute("INSERT INTO usher.heartbeats (meeting_id, at) VALUES (:id, now())", id=bot.meeting_id)
    assert await always(given) == [f"I7: meeting {bot.meeting_id} is completed and its heartbeat row is there"]


async def test_a_live_meeting_without_its_heartbeat_row_is_found(given: Scenario) -> None:
    bot = await given.a_bot().active()
    await given.execute("DELETE FROM usher.heartbeats")
    assert await always(given) == [f"I7: meeting {bot.meeting_id} is active and its heartbeat row is gone"]


async def test_a_meeting_that_does_not_end_is_found(given: Scenario, world: World) -> None:
    bot = await given.a_bot().with_job().active()
    world.has_all_of(bot)
    assert await quiet(given, world) == [f"I3: meeting {bot.meeting_id} is still active and its bot is not there"]


@pytest.mark.parametrize("end", [Status.FAILED, Status.COMPLETED])
async def test_a_healthy_bot_whose_meeting_ended_is_found(given: Scenario, world: World, end: Status) -> None:
    bot = await given.a_bot().active().moved(end)
    world.botrequests.append(a_botrequest(bot, phase=end))
    assert await quiet(given, world, bot) == [
        f"I6: meeting {bot.meeting_id} is {end} ({bot.reason}) and its bot is healthy"
    ]


@pytest.mark.parametrize(("kind", "named"), [("jobs", "Jobs"), ("pods", "running pods")])
async def test_two_bots_of_one_meeting_are_found(given: Scenario, world: World, kind: str, named: str) -> None:
    bot = await given.a_bot().with_job().active()
    world.has_all_of(bot)
    getattr(world, kind).append(an_object(bot, phase="Running"))
    assert await quiet(given, world, bot) == [f"I2: 2 {named} of the connection {bot.connection_id}"]


async def test_a_pod_that_has_ended_is_no_second_bot(given: Scenario, world: World) -> None:
    bot = await given.a_bot().with_job().active()
    world.has_all_of(bot)
    world.pods += [an_object(bot, phase="Succeeded"), an_object(bot, phase="Failed")]
    assert await quiet(given, world, bot) == []


async def test_a_job_without_a_live_row_is_found(given: Scenario, world: World) -> None:
    bot = await given.a_bot().with_job().active().completed()
    world.botrequests.append(a_botrequest(bot, phase="completed"))
    world.jobs.append(an_object(bot))
    assert await quiet(given, world) == [f"I4: a Job of {bot.connection_id} runs without a live row"]


async def test_a_live_row_without_a_job_or_a_botrequest_is_found(given: Scenario, world: World) -> None:
    bot = await given.a_bot().with_job().active()
    assert await quiet(given, world, bot) == [f"I4: meeting {bot.meeting_id} is active without a Job or a BotRequest"]


async def test_a_botrequest_that_shows_another_end_than_its_row_is_found(given: Scenario, world: World) -> None:
    bot = await given.a_bot().active().completed()
    world.botrequests.append(a_botrequest(bot, phase="active"))
    assert await quiet(given, world) == [f"I5: BotRequest {bot.request_name} shows active, its row is completed"]


@pytest.mark.parametrize("status", [{}, {"phase": "refused"}, {"phase": "refused", "reason": "CapReached"}])
async def test_a_botrequest_with_neither_a_row_nor_a_reason_is_found(
    given: Scenario, world: World, status: dict[str, str]
) -> None:
    world.botrequests.append({"metadata": {"name": "alone", "uid": "uid-of-none"}, "status": status})
    assert await quiet(given, world) == ["I5: BotRequest alone has neither a row nor a reason"]


async def test_a_refusal_with_a_reason_and_a_sentence_is_not_found(given: Scenario, world: World) -> None:
    status = {"phase": "refused", "reason": "CapReached", "message": "All slots are taken."}
    world.botrequests.append({"metadata": {"name": "alone", "uid": "uid-of-none"}, "status": status})
    assert await quiet(given, world) == []
