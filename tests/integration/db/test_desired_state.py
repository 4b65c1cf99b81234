"""What the owner wants is stored once, grows, and is never unsaid."""

import pytest

from tests.scenario import Scenario, speaker_of
from usher_models.db import desired_state, heartbeats
from usher_models.db.bots import Bot
from usher_models.states import Desired


async def told_to_leave(given: Scenario, *bots: Bot, reason: str = "stopped") -> list[int]:
    async with given.database.transaction() as connection:
        return await desired_state.want_leave(connection, [bot.meeting_id for bot in bots], reason=reason)


async def configured(given: Scenario, bot: Bot, **config: object) -> int | None:
    async with given.database.transaction() as connection:
        return await desired_state.want_config(connection, bot.meeting_id, config)


async def acknowledged(given: Scenario, bot: Bot, generation: int) -> int:
    async with given.database.transaction() as connection:
        await heartbeats.record_details(
            connection, bot.connection_id, speaker=speaker_of(bot), stage=None, applied_generation=generation
        )
    return (await given.fresh(bot)).applied_generation


async def test_leave_is_stored_with_its_time_and_reason(given: Scenario) -> None:
    bot = await given.a_bot().active()
    assert await told_to_leave(given, bot, reason="max_duration_exceeded") == [bot.meeting_id]
    now = await given.fresh(bot)
    assert (now.desired, now.leave_reason) == (Desired.LEAVE, "max_duration_exceeded")
    assert now.leave_requested_at is not None
    assert now.status is bot.status


async def test_leave_is_said_once_and_keeps_its_first_reason(given: Scenario) -> None:
    bot = await given.a_bot().active()
    await told_to_leave(given, bot, reason="stopped")
    before = await given.everything()
    assert await told_to_leave(given, bot, reason="request_deleted") == []
    assert await given.everything() == before


async def test_leave_is_final(given: Scenario) -> None:
    bot = await given.a_bot().active().asked_to_leave()
    await configured(given, bot, language="de")
    async with given.database.transaction() as connection:
        await desired_state.note_request(connection, bot.meeting_id, namespace="n", name="r", uid="u", generation=9)
    assert (await given.fresh(bot)).desired is Desired.LEAVE


async def test_a_spec_that_was_taken_over_before_asks_for_nothing_again(given: Scenario) -> None:
    bot = await given.a_bot(request_generation=2).active()

    async def configured_by(generation: int, language: str) -> int | None:
        async with given.database.transaction() as connection:
            return await desired_state.want_config(
                connection, bot.meeting_id, {"language": language}, request_generation=generation
            )

    assert [await configured_by(generation, "fr") for generation in (1, 2)] == [None, None]
    assert (await given.fresh(bot)).config_generation == bot.config_generation
    assert await configured_by(3, "de") == bot.config_generation + 1


async def test_whoever_is_over_is_not_asked(given: Scenario) -> None:
    over, live = await given.a_bot().active().completed(), await given.a_bot().active()
    assert await told_to_leave(given, over, live) == [live.meeting_id]
    assert (await given.fresh(over)).desired is Desired.RUN


async def test_a_new_configuration_counts_up(given: Scenario) -> None:
    bot = await given.a_bot().active()
    assert [await configured(given, bot, language=language) for language in ("de", "fr")] == [1, 2]
    assert (await given.fresh(bot)).config == {"language": "fr"}


async def test_the_same_configuration_counts_nothing(given: Scenario) -> None:
    bot = await given.a_bot().active().with_config(language="de", task="transcribe")
    before = await given.everything()
    assert await configured(given, bot, language="de") is None
    assert await configured(given, bot) is None
    assert await given.everything() == before


async def test_a_configuration_is_merged_into_what_there_is(given: Scenario) -> None:
    bot = await given.a_bot(config={"language": "en"}).active()
    assert await configured(given, bot, task="translate") == 1
    assert (await given.fresh(bot)).config == {"language": "en", "task": "translate"}


async def test_whoever_is_over_is_not_configured(given: Scenario) -> None:
    bot = await given.a_bot().active().completed()
    assert await configured(given, bot, language="de") is None


async def test_an_acknowledged_generation_never_exceeds_the_newest(given: Scenario) -> None:
    bot = await given.a_bot().active().with_config(language="de").with_config(language="fr")
    assert [await acknowledged(given, bot, generation) for generation in (1, 0, 99, 2, 1)] == [1, 1, 2, 2, 2]
    assert await configured(given, bot, language="it") == 3
    assert (await given.fresh(bot)).applied_generation == 2


async def test_the_newest_generation_of_a_request_is_kept(given: Scenario) -> None:
    bot = await given.a_bot(request_uid=None, request_name=None)
    seen = []
    for generation in (1, 3, 2):
        async with given.database.transaction() as connection:
            await desired_state.note_request(
                connection, bot.meeting_id, namespace="bots", name="weekly", uid="u-1", generation=generation
            )
        seen.append((await given.fresh(bot)).request_generation)
    now = await given.fresh(bot)
    assert seen == [1, 3, 3]
    assert (now.request_namespace, now.request_name, now.request_uid) == ("bots", "weekly", "u-1")


@pytest.mark.parametrize(("waited", "ignores_leave"), [(80, False), (91, True)])
async def test_a_bot_ignores_its_leave_when_it_reports_beyond_the_grace(
    given: Scenario, waited: int, ignores_leave: bool
) -> None:
    bot = await given.a_bot().with_job().active().asked_to_leave().waited(waited).beating()
    async with given.database.transaction() as connection:
        found = await desired_state.bots_ignoring_leave(connection, grace_s=90)
    assert [each.meeting_id for each in found] == ([bot.meeting_id] if ignores_leave else [])


async def test_a_bot_that_nobody_hears_is_not_deaf_but_silent(given: Scenario) -> None:
    await given.a_bot().with_job().active().asked_to_leave().waited(300).with_last_beat(ago=215)
    async with given.database.transaction() as connection:
        assert await desired_state.bots_ignoring_leave(connection, grace_s=90) == []


async def test_a_bot_that_has_never_spoken_is_given_up_after_the_grace(given: Scenario) -> None:
    bot = await given.a_bot().with_job().asked_to_leave().waited(91)
    async with given.database.transaction() as connection:
        found = await desired_state.bots_ignoring_leave(connection, grace_s=90)
    assert [each.meeting_id for each in found] == [bot.meeting_id]


async def test_whoever_was_not_asked_or_has_no_job_or_is_over_is_not_deaf(given: Scenario) -> None:
    await given.a_bot().with_job().active().waited(1_000)
    await given.a_bot().asked_to_leave().waited(1_000)
    await given.a_bot().with_job().active().asked_to_leave().completed().waited(1_000)
    async with given.database.transaction() as connection:
        assert await desired_state.bots_ignoring_leave(connection, grace_s=90) == []


@pytest.mark.parametrize(("waited", "overdue"), [(599, False), (601, True)])
async def test_a_bot_is_overdue_after_its_own_duration_since_it_started(
    given: Scenario, waited: int, overdue: bool
) -> None:
    bot = await given.a_bot(max_duration_s=600).waited(500).starting().waited(waited).active()
    async with given.database.transaction() as connection:
        found = await desired_state.overdue_bots(connection)
    assert [each.meeting_id for each in found] == ([bot.meeting_id] if overdue else [])


async def test_whoever_was_asked_to_leave_is_not_overdue_again(given: Scenario) -> None:
    await given.a_bot(max_duration_s=600).active().waited(1_000).asked_to_leave()
    async with given.database.transaction() as connection:
        assert await desired_state.overdue_bots(connection) == []
