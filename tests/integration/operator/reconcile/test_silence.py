"""Judging by silence: each limit from both sides, and never while there is better evidence."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes.objects import FAILED_BY_POLICY, terminated, unschedulable, waiting
from tests.fakes.settings import some_settings
from tests.integration.operator.plane import Plane
from tests.scenario import BotInTheMaking, Scenario, heartbeat_of, move
from usher_models.db.bots import Bot
from usher_models.db.heartbeats import record
from usher_models.errors import KubernetesUnavailable
from usher_models.states import Source, Status
from usher_operator.reconcile.silence import rules
from usher_operator.reconcile.silence.brownout_events import EVENTS_AT_MOST

Past = Callable[[Scenario, float], BotInTheMaking]


def reserved(given: Scenario, seconds: float) -> BotInTheMaking:
    return given.a_bot().with_job().waited(seconds)


def starting(given: Scenario, seconds: float) -> BotInTheMaking:
    return given.a_bot(lobby_timeout_s=60).with_job().starting().waited(seconds)


def in_a_long_lobby(given: Scenario, seconds: float) -> BotInTheMaking:
    return given.a_bot(lobby_timeout_s=900).with_job().starting().waited(seconds)


def active(given: Scenario, seconds: float) -> BotInTheMaking:
    return given.a_bot().with_job().starting().active().waited(1000).beating().with_last_beat(ago=seconds)


def stopping(given: Scenario, seconds: float) -> BotInTheMaking:
    return given.a_bot().with_job().starting().active().stopping().waited(seconds)


LIMITS = [
    pytest.param(reserved, 300, "never_started", id="reserved"),
    pytest.param(starting, 600, "never_joined", id="starting"),
    pytest.param(in_a_long_lobby, 960, "never_joined", id="starting, with a long lobby budget"),
    pytest.param(active, 120, "heartbeat_lost", id="active"),
    pytest.param(stopping, 300, "never_exited", id="stopping"),
]


@pytest.mark.parametrize(("past", "limit_s", "reason"), LIMITS)
async def test_just_before_the_limit_nothing_happens(
    plane: Plane, given: Scenario, past: Past, limit_s: float, reason: str
) -> None:
    bot = plane.in_kubernetes(await past(given, limit_s - 3))
    before = await given.everything()
    await plane.tick()
    assert await given.everything() == before
    assert ("bots", bot.job_name) in plane.kube.jobs


@pytest.mark.parametrize(("past", "limit_s", "reason"), LIMITS)
async def test_just_after_the_limit_the_meeting_fails_and_its_job_is_deleted(
    plane: Plane, given: Scenario, past: Past, limit_s: float, reason: str
) -> None:
    bot = plane.in_kubernetes(await past(given, limit_s + 1))
    await plane.tick()
    failed = await given.fresh(bot)
    assert (failed.status, failed.reason) == (Status.FAILED, reason)
    assert failed.message
    assert (await given.story(bot))[-1].source == "reconciler"
    assert plane.kube.jobs == {}


@pytest.mark.parametrize(("past", "limit_s", "reason"), LIMITS)
async def test_silence_is_judged_without_the_api_server_too(
    plane: Plane, given: Scenario, past: Past, limit_s: float, reason: str
) -> None:
    bot = plane.in_kubernetes(await past(given, limit_s + 1))
    plane.kube.away = True
    await plane.tick()
    assert (await given.fresh(bot)).reason == reason
    assert ("bots", bot.job_name) in plane.kube.jobs
    plane.kube.away = False
    await plane.tick()
    await plane.tick(after=plane.settings.orphan_grace_s)
    assert plane.kube.jobs == {}


def suspend(plane: Plane, *bots: Bot) -> None:
    """Hold Jobs back before they have pods, as a queue of the cluster does."""
    for bot in bots:
        plane.kube.jobs["bots", bot.job_name]["spec"]["suspend"] = True
        plane.kube.pod_gone(bot.job_name)


async def test_a_bot_whose_job_is_held_back_has_not_failed_to_start_and_says_what_it_waits_for(
    plane: Plane, given: Scenario
) -> None:
    bots = [plane.in_kubernetes(await reserved(given, 4000)) for _ in range(10)]
    silent = plane.in_kubernetes(await active(given, 125))
    suspend(plane, *bots)
    for _ in range(3):
        await plane.tick(after=plane.settings.reconcile_interval_s)
    found = [await given.fresh(bot) for bot in bots]
    assert {(bot.status, bot.reason) for bot in found} == {(Status.RESERVED, "job_suspended")}
    assert "a queue of the cluster, or a person, holds it back" in found[0].message
    plane.kube.away = True
    await plane.tick(after=plane.settings.reconcile_interval_s)
    assert (await given.fresh(bots[0])).status is Status.RESERVED
    assert (await given.fresh(silent)).reason == "heartbeat_lost"


@pytest.mark.parametrize(("resumed_s_ago", "status"), [(290, Status.RESERVED), (310, Status.FAILED)])
async def test_a_bot_whose_job_was_resumed_has_its_whole_time_to_start(
    plane: Plane, given: Scenario, resumed_s_ago: float, status: Status
) -> None:
    bot = plane.in_kubernetes(await reserved(given, 4000))
    resumed = (datetime.now(UTC) - timedelta(seconds=resumed_s_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": "Suspended", "status": "False", "reason": "JobResumed", "lastTransitionTime": resumed}
    plane.kube.jobs["bots", bot.job_name]["status"] = {"startTime": resumed, "conditions": [condition]}
    await plane.tick()
    assert (await given.fresh(bot)).status is status


async def test_the_limits_are_those_of_the_settings(plane: Plane, given: Scenario) -> None:
    plane.settings = plane.settings.model_copy(update={"heartbeat_timeout_s": 240})
    plane.use(given.database)
    bots = [plane.in_kubernetes(await active(given, ago)) for ago in (237, 241)]
    await plane.tick()
    assert [(await given.fresh(bot)).status for bot in bots] == [Status.ACTIVE, Status.FAILED]


async def test_a_reservation_without_any_try_at_a_job_is_ushers_own_fault(plane: Plane, given: Scenario) -> None:
    plane.kube.away = True
    never_tried = await given.a_bot().waited(301)
    never_ran = plane.in_kubernetes(await reserved(given, 301))
    silent = plane.in_kubernetes(await active(given, 125))
    await plane.tick()
    assert [(await given.fresh(bot)).fault for bot in (never_tried, never_ran, silent)] == [
        "usher",
        "infrastructure",
        "bot",
    ]


async def test_a_bot_that_never_started_fails_with_its_pods_own_reason(plane: Plane, given: Scenario) -> None:
    bot = await reserved(given, 301)
    plane.in_kubernetes(bot, pod={"state": waiting("ImagePullBackOff", "Back-off pulling usher.dev/bot:dev")})
    plane.kube.events_of_pods[f"{bot.job_name}-abcde"] = [{"reason": "Failed", "message": "no such image"}]
    await plane.tick()
    failed = await given.fresh(bot)
    assert failed.message == "The bot's pod never reported that it started: ImagePullBackOff."
    detail = (await given.story(bot))[-1].detail
    assert (detail["container"], detail["events"]) == ("ImagePullBackOff", ["Failed: no such image"])
    assert detail["termination_message"] == "Back-off pulling usher.dev/bot:dev"


async def test_heartbeat_lost_says_when_the_last_one_came_how_the_node_is_and_what_the_bot_logged(
    plane: Plane, given: Scenario
) -> None:
    bot = await active(given, 125)
    plane.in_kubernetes(bot, pod={"conditions": [{"type": "Ready", "status": "False"}]})
    plane.kube.logs_of_pods[f"{bot.job_name}-abcde"] = "joining\nTypeError: page is null\n"
    await plane.tick()
    failed, line = await given.fresh(bot), (await given.story(bot))[-1]
    assert re.fullmatch(
        r"The bot stopped sending heartbeats\. The last one came 12[5-9] s before, at \d\d:\d\d:\d\d UTC\."
        r" Its node node-1 is not ready\.",
        failed.message,
    )
    assert (failed.fault, line.fault) == ("infrastructure", "infrastructure")
    assert line.detail["log"] == "joining\nTypeError: page is null\n"
    assert datetime.fromisoformat(line.detail["last_heartbeat_at"]).tzinfo is not None


async def test_a_bot_without_a_pod_fails_with_what_kept_kubernetes_from_creating_it(
    plane: Plane, given: Scenario
) -> None:
    bot = plane.in_kubernetes(await reserved(given, 301))
    plane.kube.pod_gone(bot.job_name)
    refusal = 'pods "bot" is forbidden: no PriorityClass with name no-such-class was found'
    plane.kube.events_of_pods[bot.job_name] = [{"reason": "FailedCreate", "message": refusal}]
    await plane.tick()
    assert (await given.fresh(bot)).message == f"The bot's pod never reported that it started: {refusal}."
    assert (await given.story(bot))[-1].detail["events"] == [f"FailedCreate: {refusal}"]


async def test_a_pod_that_found_no_node_says_so(plane: Plane, given: Scenario) -> None:
    bot = await reserved(given, 301)
    plane.in_kubernetes(bot, pod={"state": None, "phase": "Pending", "conditions": [unschedulable("0/3 nodes.")]})
    await plane.tick()
    assert (await given.fresh(bot)).message.endswith(": Unschedulable.")
    assert (await given.story(bot))[-1].detail["termination_message"] == "0/3 nodes."


async def test_events_that_cannot_be_read_do_not_hold_up_the_end(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await active(given, 121))
    plane.kube.fail("pod_events", KubernetesUnavailable())
    await plane.tick()
    assert (await given.fresh(bot)).reason == "heartbeat_lost"


@pytest.mark.parametrize("reason", ["InvalidImageName", "ErrImageNeverPull"])
async def test_an_image_that_can_never_come_fails_at_once(plane: Plane, given: Scenario, reason: str) -> None:
    bot = await given.a_bot().with_job()
    plane.in_kubernetes(bot, pod={"state": waiting(reason)})
    await plane.tick()
    failed = await given.fresh(bot)
    assert (failed.status, failed.reason) == (Status.FAILED, "image_pull_failed")
    assert reason in failed.message
    assert plane.kube.jobs == {}


async def test_an_image_that_may_still_come_gets_its_time(plane: Plane, given: Scenario) -> None:
    bot = await reserved(given, 200)
    plane.in_kubernetes(bot, pod={"state": waiting("ImagePullBackOff")})
    await plane.tick()
    assert (await given.fresh(bot)).status is Status.RESERVED


async def test_a_bot_that_spoke_is_not_failed_for_what_its_pod_once_was(plane: Plane, given: Scenario) -> None:
    """The snapshot is older than the callback: the guard looks at the row again."""
    bot = await given.a_bot().with_job().starting()
    plane.in_kubernetes(bot, pod={"state": waiting("InvalidImageName")})
    await plane.tick()
    assert (await given.fresh(bot)).status is Status.STARTING


def speaks_meanwhile(plane: Plane, say: Callable[[], Awaitable[object]]) -> None:
    """Let the bot speak after the sweep chose it and before it is ended: while its pod's last words are read."""
    read = plane.kube.pod_events

    async def reading(namespace: str, pod_name: str) -> list[dict[str, object]]:
        await say()
        return await read(namespace, pod_name)

    plane.kube.pod_events = reading  # type: ignore[method-assign]


async def test_a_beat_that_comes_while_last_words_are_read_saves_the_bot(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await active(given, 121))

    async def beats() -> None:
        async with given.database.transaction() as connection:
            await record(connection, heartbeat_of(bot))

    speaks_meanwhile(plane, beats)
    await plane.tick()
    assert (await given.fresh(bot)).status is Status.ACTIVE
    assert ("bots", bot.job_name) in plane.kube.jobs


@pytest.mark.parametrize(
    ("past", "limit_s"), [(reserved, 300), (starting, 600), (stopping, 300)], ids=["reserved", "starting", "stopping"]
)
async def test_a_move_that_comes_while_last_words_are_read_has_the_last_word(
    plane: Plane, given: Scenario, past: Past, limit_s: float
) -> None:
    bot = plane.in_kubernetes(await past(given, limit_s + 1))
    target = {Status.RESERVED: Status.STARTING, Status.STARTING: Status.ACTIVE}.get(bot.status, Status.COMPLETED)

    async def moves() -> None:
        async with given.database.transaction() as connection:
            await move(connection, bot, target, source=Source.BOT, reason="in_time")

    speaks_meanwhile(plane, moves)
    await plane.tick()
    found = await given.fresh(bot)
    assert (found.status, found.reason) == (target, "in_time")


async def test_a_start_that_comes_while_an_image_is_given_up_has_the_last_word(plane: Plane, given: Scenario) -> None:
    bot = await given.a_bot().with_job()
    plane.in_kubernetes(bot, pod={"state": waiting("InvalidImageName")})

    async def starts() -> None:
        async with given.database.transaction() as connection:
            await move(connection, bot, Status.STARTING, source=Source.BOT, reason="in_time")

    speaks_meanwhile(plane, starts)
    await plane.tick()
    assert (await given.fresh(bot)).reason == "in_time"


async def test_evidence_comes_before_silence(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await active(given, 1000))
    plane.kube.finish(bot.job_name, condition=FAILED_BY_POLICY, state=terminated(3))
    await plane.tick()
    assert (await given.fresh(bot)).reason == "exit_code_3"
    assert (await given.story(bot))[-1].source == "evidence"


async def test_what_a_finished_job_says_is_not_read_while_the_api_server_is_away(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await active(given, 10))
    plane.kube.finish(bot.job_name, condition=FAILED_BY_POLICY, state=terminated(3))
    plane.kube.away = True
    await plane.tick()
    assert (await given.fresh(bot)).status is Status.ACTIVE
    plane.kube.away = False
    await plane.tick()
    assert (await given.fresh(bot)).status is Status.FAILED


async def test_many_silent_bots_end_in_one_sweep(plane: Plane, given: Scenario) -> None:
    silent = await active(given, 130)
    bots = [silent, *await given.copies_of(silent, 29)]
    await given.copies_of(await active(given, 0), 30)
    for each in bots:
        plane.in_kubernetes(each)
    await plane.tick()
    assert {(await given.fresh(each)).reason for each in bots} == {"heartbeat_lost"}
    assert plane.kube.jobs == {}


async def test_when_most_of_the_fleet_is_silent_nobody_is_failed_until_the_hold_is_over(
    plane: Plane, given: Scenario
) -> None:
    silent = await active(given, 130)
    bots = [silent, *await given.copies_of(silent, 29)]
    dead = await active(given, 0)
    for each in (*bots, dead):
        plane.in_kubernetes(each)
    await plane.tick()
    assert {(await given.fresh(each)).status for each in bots} == {Status.ACTIVE}
    # A finished Job is evidence all the same.
    plane.kube.finish(dead.job_name, condition=FAILED_BY_POLICY, state=terminated(1))
    await plane.tick(after=plane.settings.brownout_limit_s - 1)
    assert (await given.fresh(dead)).status is Status.FAILED
    assert {(await given.fresh(each)).status for each in bots} == {Status.ACTIVE}
    await plane.tick(after=1)
    assert {(await given.fresh(each)).status for each in bots} == {Status.FAILED}


async def test_bots_that_fall_silent_one_after_another_are_seen_as_many_before_the_first_is_failed(
    plane: Plane, given: Scenario
) -> None:
    """Their beats have phases: when nothing comes through any more, each reaches its limit at another moment."""
    bots = [plane.in_kubernetes(await active(given, ago)) for ago in range(93, 123)]
    await plane.tick()
    assert {(await given.fresh(bot)).status for bot in bots} == {Status.ACTIVE}
    assert events_of(plane, "StaleChecksPaused")


async def test_a_bot_that_is_heard_last_after_an_outage_is_not_failed_for_those_that_were_heard_before(
    plane: Plane, given: Scenario
) -> None:
    silent = await active(given, 130)
    bots = [plane.in_kubernetes(each) for each in (silent, *await given.copies_of(silent, 29))]
    await plane.tick()
    for count in (10, 10, 9):
        for bot in bots[:count]:
            async with given.database.transaction() as connection:
                await record(connection, heartbeat_of(bot))
        bots = bots[count:]
        await plane.tick(after=10)
    (last,) = bots
    assert (await given.fresh(last)).status is Status.ACTIVE
    await plane.tick(after=10)
    await plane.tick(after=20)
    assert (await given.fresh(last)).reason == "heartbeat_lost"


async def test_an_outage_is_forgiven_before_bots_are_counted_as_quiet(plane: Plane, given: Scenario) -> None:
    dead = plane.in_kubernetes(await active(given, 400))
    quiet = await active(given, 350)
    for each in (quiet, *await given.copies_of(quiet, 29)):
        plane.in_kubernetes(each)
    await given.an_outage(lasted=270, ended_ago=10)
    await plane.tick()
    assert (await given.fresh(dead)).reason == "heartbeat_lost"


async def test_silence_during_an_outage_of_ushers_own_is_forgiven(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await active(given, 400))
    await given.an_outage(lasted=300, ended_ago=10)
    await plane.tick()
    assert (await given.fresh(bot)).status is Status.ACTIVE


async def test_a_new_leader_fails_nobody_for_silence_before_one_beat_has_passed(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await active(given, 400))
    plane.reconciler._memory.brownout.follows()
    await plane.tick()
    await plane.tick(after=plane.settings.heartbeat_interval_s - 1)
    assert (await given.fresh(bot)).status is Status.ACTIVE
    await plane.tick(after=1)
    assert (await given.fresh(bot)).status is Status.FAILED


async def test_last_words_with_a_character_that_cannot_be_stored_hold_up_nobody(plane: Plane, given: Scenario) -> None:
    odd, plain = await active(given, 10), await active(given, 10)
    silent = await active(given, 121)
    for bot in (odd, plain, silent):
        plane.in_kubernetes(bot)
    plane.kube.finish(odd.job_name, condition=FAILED_BY_POLICY, state=terminated(1, message="\x00 core dumped"))
    plane.kube.finish(plain.job_name, condition=FAILED_BY_POLICY, state=terminated(1))
    plane.kube.events_of_pods[f"{silent.job_name}-abcde"] = [{"reason": "Killing", "message": "\x00"}]
    plane.kube.logs_of_pods[f"{silent.job_name}-abcde"] = "a\x00"
    await plane.tick()
    found: list[Bot] = [await given.fresh(bot) for bot in (odd, plain, silent)]
    assert [bot.reason for bot in found] == ["exit_code_1", "exit_code_1", "heartbeat_lost"]
    assert (await given.story(odd))[-1].detail["termination_message"] == "\ufffd core dumped"


def events_of(plane: Plane, reason: str) -> list[str]:
    return [event["involvedObject"]["name"] for event in plane.kube.events if event["reason"] == reason]


async def test_a_hold_is_told_once_when_it_begins_and_once_when_it_is_over(plane: Plane, given: Scenario) -> None:
    silent = await active(given, 130)
    bots = [plane.in_kubernetes(each) for each in (silent, *await given.copies_of(silent, 29))]
    await plane.tick()
    await plane.tick(after=10)
    assert len(events_of(plane, "StaleChecksPaused")) == EVENTS_AT_MOST
    assert events_of(plane, "StaleChecksResumed") == []
    for bot in bots:
        async with given.database.transaction() as connection:
            await record(connection, heartbeat_of(bot))
    await plane.tick(after=plane.settings.heartbeat_interval_s)
    await plane.tick(after=10)
    assert sorted(events_of(plane, "StaleChecksResumed")) == sorted(events_of(plane, "StaleChecksPaused"))
    assert {(await given.fresh(bot)).status for bot in bots} == {Status.ACTIVE}


@pytest.mark.parametrize(("past", "limit_s", "reason"), LIMITS)
async def test_a_bot_beyond_any_limit_counts_as_stale(given: Scenario, past: Past, limit_s: float, reason: str) -> None:
    await past(given, limit_s - 1)
    beyond = await past(given, limit_s + 1)
    async with given.database.transaction() as connection:
        stale = await rules.stale_bots(connection, some_settings())
    assert [bot.meeting_id for bot in stale] == [beyond.meeting_id], reason


@pytest.mark.parametrize(("silent", "live", "held"), [(4, 4, False), (5, 5, True), (11, 20, False), (12, 20, True)])
async def test_the_hold_from_both_sides_of_its_thresholds(
    plane: Plane, given: Scenario, silent: int, live: int, held: bool
) -> None:
    dead = await active(given, 130)
    bots = [dead, *await given.copies_of(dead, silent - 1)]
    if live > silent:
        await given.copies_of(await active(given, 0), live - silent - 1)
    for bot in bots:
        plane.in_kubernetes(bot)
    await plane.tick()
    failed = [await given.fresh(bot) for bot in bots]
    assert {bot.status for bot in failed} == {Status.ACTIVE if held else Status.FAILED}


async def test_no_more_are_ended_by_silence_than_the_rate_allows(plane: Plane, given: Scenario) -> None:
    """12 a minute with a sweep every 10 s: two for each, however soon the next one comes."""
    plane.settings = plane.settings.model_copy(update={"stale_ends_per_minute": 12})
    plane.use(given.database)
    dead = await active(given, 130)
    bots = [plane.in_kubernetes(each) for each in (dead, *await given.copies_of(dead, 3))]

    async def ended() -> int:
        return sum([(await given.fresh(bot)).status is Status.FAILED for bot in bots])

    counts = []
    for after in (0, 0, 5, 5, 1000):
        await plane.tick(after=after)
        counts.append(await ended())
    assert counts == [2, 2, 3, 4, 4]


async def test_a_sweep_after_a_long_pause_may_end_no_more_than_another(plane: Plane, given: Scenario) -> None:
    plane.settings = plane.settings.model_copy(update={"stale_ends_per_minute": 12})
    plane.use(given.database)
    plane.clock.advance(3600)
    dead = await active(given, 130)
    bots = [plane.in_kubernetes(each) for each in (dead, *await given.copies_of(dead, 3))]
    await plane.tick()
    assert sum([(await given.fresh(bot)).status is Status.FAILED for bot in bots]) == 2
