"""`usher why`, `bots`, `meetings` and `leave` on a real database."""

import asyncio
import json

import pytest

from tests.integration.operator.cli.conftest import Usher
from tests.integration.operator.evidence import collect
from tests.scenario import Scenario
from usher_models.states import Desired, Source

HOSTILE = "could not find element [/html/body] \x1b]0;owned\x07 [link=https://evil.example]here[/link]"


@pytest.mark.parametrize("name", ["standup", "team-a/standup", "{meeting_id}", "{connection_id}"])
async def test_why_finds_a_meeting_by_every_name_it_has(given: Scenario, usher: Usher, name: str) -> None:
    bot = await given.a_bot(request_name="standup", request_namespace="team-a").starting().active()
    told = await usher("why", name.format(meeting_id=bot.meeting_id, connection_id=bot.connection_id))
    assert f"Meeting {bot.meeting_id} of user {bot.user_id} is active." in told
    assert "starting → active  bot: joined" in told


async def test_why_prefers_the_live_meeting_of_a_name_that_was_used_before(given: Scenario, usher: Usher) -> None:
    await given.a_bot(request_name="standup").active().completed()
    live = await given.a_bot(request_name="standup").starting()
    await given.a_bot(request_name="standup").active().completed()
    assert f"Meeting {live.meeting_id} of" in await usher("why", "standup")


@pytest.mark.parametrize("name", ["nobody", "99999999999999999999", "other/standup"])
async def test_why_says_what_an_unknown_name_could_have_been(given: Scenario, usher: Usher, name: str) -> None:
    await given.a_bot(request_name="standup", request_namespace="team-a")
    assert f"{name} is no meeting of Usher's: name a BotRequest" in await usher("why", name, code=1)


async def test_the_json_of_why_has_the_words_and_times_of_the_api(given: Scenario, usher: Usher) -> None:
    await given.a_bot(request_name="standup").starting()
    first, second = json.loads(await usher("why", "standup", "--json"))
    assert (first["from_status"], first["to_status"], second["to_status"]) == (None, "reserved", "starting")
    assert second["at"].endswith("Z")


async def test_what_a_bot_says_is_no_markup_and_no_terminal_sequence(given: Scenario, usher: Usher) -> None:
    bot = await given.a_bot(request_name="standup").starting().failed(by=Source.BOT, reason="exit_code_9")
    await given.execute(
        "UPDATE usher.transitions SET detail = jsonb_build_object('detail', CAST(:detail AS text))"
        " WHERE meeting_id = :id AND to_status = 'failed'",
        detail=HOSTILE,
        id=bot.meeting_id,
    )
    told = await usher("why", "standup")
    assert r"could not find element [/html/body] \x1b]0;owned\x07 [link=https://evil.example]here[/link]" in told
    assert "\x1b" not in told


async def test_why_shows_the_end_of_a_long_detail_where_the_cause_stands(given: Scenario, usher: Usher) -> None:
    bot = await given.a_bot(request_name="standup").failed(by=Source.RECONCILER, reason="never_started")
    await given.execute(
        "UPDATE usher.transitions SET detail = jsonb_build_object('events', CAST(:detail AS text))"
        " WHERE meeting_id = :id AND to_status = 'failed'",
        detail="Failed to pull image " + "x" * 900 + ": manifest unknown",
        id=bot.meeting_id,
    )
    assert "manifest unknown" in await usher("why", "standup")


async def test_follow_means_the_request_of_the_namespace_that_is_named(given: Scenario, usher: Usher) -> None:
    await given.a_bot(request_name="standup", request_namespace="team-a").active().completed()
    await given.a_bot(request_name="standup", request_namespace="team-b").active()
    assert "completed" in await usher("follow", "team-a/standup", "--timeout", "5")
    assert "active" in await usher("follow", "team-b/standup", "--until", "active", "--timeout", "5")
    assert "Not every bot was ended within 0.1 s." in await usher("follow", "none/standup", "--timeout", "0.1", code=1)


async def test_follow_does_not_wait_for_a_status_that_there_is_not(usher: Usher) -> None:
    assert "must be one of" in await usher("follow", "standup", "--until", "activ", code=2)


async def test_a_time_that_no_date_reaches_is_wrong_usage(usher: Usher) -> None:
    assert "is over 36500 days" in await usher("meetings", "--since", "99999999d", code=2)


@pytest.mark.parametrize("command", ["bots", "meetings"])
async def test_a_list_breaks_no_word_in_a_terminal_of_80_columns(given: Scenario, usher: Usher, command: str) -> None:
    bot = await given.a_bot(request_name="weekly-planning-meeting", request_namespace="usher-bots").starting()
    told = await usher(command, width=80)
    assert max(map(len, told.splitlines())) <= 80
    for word in (str(bot.meeting_id), "starting", "weekly-planning-meeting" if command == "bots" else "started"):
        assert word in told


async def test_the_json_of_bots_names_the_botrequest_and_holds_no_secret(given: Scenario, usher: Usher) -> None:
    bot = await given.a_bot(request_name="standup", request_namespace="team-a").with_config(passcode="s3cret").active()
    listed = await usher("bots", "--json")
    (shown,) = json.loads(listed)
    assert (shown["id"], shown["status"], shown["request_name"]) == (bot.meeting_id, "active", "standup")
    assert "s3cret" not in listed


async def test_meetings_of_a_user_are_found_by_outcome_and_age(given: Scenario, usher: Usher) -> None:
    user, other = await given.a_user(cap=5), await given.a_user(cap=5)
    failed = await given.a_bot(user).failed(by=Source.RECONCILER, reason="never_started")
    live = await given.a_bot(user).starting()
    await given.a_bot(other).failed(by=Source.RECONCILER, reason="never_started")
    old = await given.a_bot(user).failed(by=Source.RECONCILER, reason="never_started")
    await given.execute(
        "UPDATE meetings SET created_at = created_at - interval '2 hours' WHERE id = :id", id=old.meeting_id
    )

    async def found(*filters: str) -> list[int]:
        return [each["id"] for each in json.loads(await usher("meetings", "--user", user.email, *filters, "--json"))]

    assert await found() == [old.meeting_id, live.meeting_id, failed.meeting_id]
    assert await found("--failed", "--since", "1h") == [failed.meeting_id]
    assert await found("--live") == [live.meeting_id]
    assert "never_started" in await usher("meetings", "--failed")


async def test_leave_asks_the_live_bots_and_says_what_it_could_not_ask(given: Scenario, usher: Usher) -> None:
    live = await given.a_bot(request_name="standup").active()
    await given.a_bot(request_name="retro").active().completed()
    told = await usher("leave", "standup", "retro", "nobody", code=1)
    assert f"The bot of meeting {live.meeting_id} was asked to leave." in told
    assert "is completed already" in told
    assert "nobody is no meeting of Usher's" in told
    assert (await given.fresh(live)).desired is Desired.LEAVE


async def test_leave_may_be_repeated(given: Scenario, usher: Usher) -> None:
    await given.a_bot(request_name="standup").active()
    assert await usher("leave", "standup") == await usher("leave", "standup")


async def test_follow_prints_each_change_until_all_have_ended(given: Scenario, usher: Usher) -> None:
    first = await given.a_bot(request_name="first").starting()
    await given.a_bot(request_name="second").failed()
    following = asyncio.ensure_future(usher("follow", "first", "second"))
    await asyncio.sleep(1)
    assert not following.done()
    await given.ends(first)
    told = (await following).splitlines()
    assert [("first" in line, "starting" in line, "completed" in line) for line in told if "first" in line] == [
        (True, True, False),
        (True, False, True),
    ]
    assert len([line for line in told if "second" in line and "failed" in line]) == 1


async def test_follow_stops_at_the_status_that_was_asked_for(given: Scenario, usher: Usher) -> None:
    await given.a_bot(request_name="standup").starting().active()
    assert "active" in await usher("follow", "standup", "--until", "active")


async def test_follow_gives_up_on_a_name_that_does_not_come(given: Scenario, usher: Usher) -> None:
    await given.a_bot(request_name="standup").failed()
    told = await usher("follow", "standup", "nobody", "--timeout", "0.5", code=1)
    assert "Not every bot was ended within 0.5 s." in told


async def test_why_prints_the_evidence_of_a_failed_meeting(given: Scenario, usher: Usher) -> None:
    bot = await given.a_bot(request_name="standup").starting().failed(reason="exit_code_137")
    assert "is being collected" in await usher("why", "standup", "--evidence", code=1)
    await collect(given)
    told = await usher("why", "standup", "--evidence")
    assert f"Meeting {bot.meeting_id} failed at" in told
    assert "Rule exited: The bot reported its own exit" in told
    assert json.loads(await usher("why", "standup", "--evidence", "--json"))["end"]["fault"] == "bot"


async def test_why_says_of_a_meeting_without_evidence_that_it_has_none(given: Scenario, usher: Usher) -> None:
    await given.a_bot(request_name="standup").active()
    assert "The meeting has no evidence: it did not fail" in await usher("why", "standup", "--evidence", code=1)
