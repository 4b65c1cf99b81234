"""A fault run passes only if it looked, measured, and nothing that watched it broke."""

import asyncio
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.faults import __main__ as runner
from tests.faults import _guard_removal, chaos, crash_points, removed_guards
from tests.faults._guard_removal import GUARDS, Guard
from tests.faults.crash.fault_injector import Mode, Point, Strike
from tests.faults.crash.lives import ALL
from tests.faults.crash_points import Case, Result
from tests.faults.figures import Figure, Scale, at_least, at_most, exactly
from tests.faults.harness import checkers
from tests.faults.harness.beside import EndedByItself, beside
from tests.faults.harness.installation import Installation
from tests.faults.matrix.outage import Fault
from tests.faults.soaking import report, watching
from tests.faults.soaking.kills import Killer
from tests.faults.soaking.people import People
from tests.faults.soaking.plan import Plan, draw
from tests.faults.soaking.report import Played
from tests.faults.soaking.watching import Watcher
from usher_operator.kube.job import CONNECTION_ANNOTATION


@pytest.mark.parametrize(
    ("figures", "error", "ok"),
    [
        ([exactly("findings", 0, 0)], "", True),
        ([exactly("findings", 1, 0)], "", False),
        ([exactly("findings", 0, 0)], "ValueError", False),
        ([], "", False),
    ],
)
def test_a_run_without_figures_is_not_well(figures: list[Figure], error: str, ok: bool) -> None:
    assert runner.Outcome(name="run", took_s=1, figures=figures, error=error).ok is ok


@pytest.mark.parametrize("figure", [at_most("s", float("nan"), 1), at_least("n", float("nan"), 1)])
def test_what_could_not_be_measured_keeps_no_bound(figure: Figure) -> None:
    assert not figure.ok


async def for_ever() -> None:
    await asyncio.Event().wait()


async def breaks() -> None:
    raise ZeroDivisionError


async def ends() -> None:
    return


@pytest.mark.parametrize(("work", "error"), [(breaks, ZeroDivisionError), (ends, EndedByItself)])
async def test_work_beside_a_run_that_breaks_or_ends_breaks_the_run_off(
    work: Callable[[], Any], error: type[Exception]
) -> None:
    with pytest.RaisesGroup(error):
        async with asyncio.timeout(5), beside(good=for_ever(), bad=work()):
            await for_ever()


async def test_work_beside_a_run_ends_with_it() -> None:
    async with beside(good=for_ever()):
        await asyncio.sleep(0)


def an_event(uid: str, *, connection: str = "one", kind: str = "ADDED", **metadata: str) -> dict[str, Any]:
    return {
        "type": kind,
        "object": {"metadata": {"uid": uid, "annotations": {CONNECTION_ANNOTATION: connection}} | metadata},
    }


def an_installation(*events: dict[str, Any]) -> Installation:
    """One whose watches tell those events and then nothing more."""

    async def watch(_: str) -> AsyncIterator[dict[str, Any]]:
        for event in events:
            yield event
        await for_ever()

    return cast(
        "Installation",
        SimpleNamespace(
            truth=None,
            namespace="bots",
            api=SimpleNamespace(watch=watch),
            swarm=SimpleNamespace(live=lambda: [1, 2]),
        ),
    )


async def watched(*events: dict[str, Any]) -> Watcher:
    """What a watcher has seen once it was told all."""
    watcher = Watcher(an_installation(*events))
    async with watcher.watching():
        while watcher.events["Jobs"] < len(events) or watcher.looks == 0:  # noqa: ASYNC110
            await asyncio.sleep(0)
    return watcher


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkers that find nothing."""

    async def nothing(_: object) -> list[str]:
        return []

    monkeypatch.setattr(checkers, "always", nothing)


@pytest.mark.usefixtures("content")
async def test_two_jobs_at_the_same_time_are_found() -> None:
    watcher = await watched(an_event("a"), an_event("b"))
    assert watcher.findings == {
        "I2: 2 Jobs of the connection one at the same time",
        "I2: 2 pods of the connection one at the same time",
    }
    assert watcher.remade() == 1


@pytest.mark.usefixtures("content")
@pytest.mark.parametrize("gone", [{"kind": "DELETED"}, {"deletionTimestamp": "now"}])
async def test_a_second_job_after_the_first_is_no_finding(gone: dict[str, str]) -> None:
    watcher = await watched(an_event("a"), an_event("a", **gone), an_event("b"), an_event("c", connection="two"))
    assert watcher.findings == set()


async def test_a_checker_that_breaks_ends_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> list[str]:
        raise ZeroDivisionError

    monkeypatch.setattr(checkers, "always", broken)
    with pytest.RaisesGroup(ZeroDivisionError):
        async with asyncio.timeout(5), Watcher(an_installation()).watching():
            await for_ever()


@pytest.mark.usefixtures("content")
async def test_a_watch_that_breaks_ends_the_run() -> None:
    nameless = {"type": "ADDED", "object": {"metadata": {"uid": "a", "annotations": {}}}}
    with pytest.RaisesGroup(KeyError, KeyError):
        async with asyncio.timeout(5), Watcher(an_installation(nameless)).watching():
            await for_ever()


PLAN = draw(1, seconds=60, meeting_s=(2, 30), kill_every_s=(2, 15), slow=True)
GOOD_ENDS = {life.native_id: ("completed", "left") for life in PLAN.lives if life.may_end("completed", "left")}


def a_soak(**changed: Any) -> Played:
    """One that went well, but for what is changed."""
    watcher = Watcher(an_installation())
    watcher.looks, watcher.most_live = 60, 20
    watcher.events = Counter({"Jobs": 1000, "pods": 1000})
    watcher.jobs_of |= {native_id: {"uid"} for native_id in GOOD_ENDS}
    people = cast("People", SimpleNamespace(did=Counter(), taken=set(GOOD_ENDS), unanswered=[]))
    killers = [cast("Killer", SimpleNamespace(process=SimpleNamespace(command="serve"), kills=5, fell=0))]
    for name, value in changed.pop("watcher", {}).items():
        setattr(watcher, name, value)
    for name, value in changed.pop("people", {}).items():
        setattr(people, name, value)
    for name, value in changed.pop("killer", {}).items():
        setattr(killers[0], name, value)
    usual: dict[str, Any] = {"plan": PLAN, "rest_s": 10.0, "unrest": []}
    return Played(people=people, killers=killers, watcher=watcher, **usual | changed)


async def broken_figures(monkeypatch: pytest.MonkeyPatch, played: Played, **ends: tuple[str, str]) -> list[str]:
    """The names of the figures that a soak does not keep."""

    async def found(_: object) -> dict[str, tuple[str, str]]:
        return GOOD_ENDS | ends

    monkeypatch.setattr(watching, "ends", found)
    return [figure.name for figure in await report.figures(played, rest_s=30, say=lambda _: None) if not figure.ok]


async def test_a_soak_that_went_well_keeps_every_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await broken_figures(monkeypatch, a_soak()) == []


@pytest.mark.parametrize(
    ("planted", "name"),
    [
        ({"watcher": {"findings": {"I1: user 1 holds 2 slots of 1"}}}, "over cap at any time"),
        ({"watcher": {"findings": {"I2: 2 Jobs"}}}, "duplicate Jobs or pods at the same time"),
        ({"watcher": {"findings": {"I5: no reason"}}}, "other findings"),
        ({"unrest": ["I3: meeting 1 is still active"]}, "stuck"),
        ({"unrest": ["I4: a Job runs"]}, "orphans"),
        ({"rest_s": 30.1}, "seconds to rest"),
        ({"watcher": {"looks": 0}}, "looks of the checkers"),
        ({"watcher": {"looks": 14}}, "looks of the checkers"),
        ({"watcher": {"jobs_of": {}}}, "lives whose Job the watch saw"),
        ({"watcher": {"events": Counter({"pods": 1000})}}, "events of Jobs"),
        ({"watcher": {"events": Counter({"Jobs": 1000})}}, "events of pods"),
        ({"watcher": {"most_live": 0}}, "most bots alive at once"),
        ({"killer": {"kills": 0}}, "kills of serve"),
        ({"killer": {"fell": 1}}, "processes that ended by themselves"),
        ({"people": {"taken": {*GOOD_ENDS, "nowhere"}}}, "promised over REST and not there"),
        ({"people": {"unanswered": ["ask"]}}, "calls without an answer"),
    ],
)
async def test_a_soak_in_which_something_was_wrong_or_unseen_is_not_well(
    monkeypatch: pytest.MonkeyPatch, planted: dict[str, Any], name: str
) -> None:
    assert await broken_figures(monkeypatch, a_soak(**planted)) == [name]


async def test_a_soak_with_a_wrong_end_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = next(iter(GOOD_ENDS))
    assert await broken_figures(monkeypatch, a_soak(), **{healthy: ("failed", "heartbeat_lost")}) == ["wrong reasons"]


async def test_a_soak_without_any_request_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = Plan(seconds=60, lives=(), kills={})
    people: dict[str, set[str]] = {"taken": set()}
    monkeypatch.setitem(globals(), "GOOD_ENDS", {})
    assert "requests" in await broken_figures(monkeypatch, a_soak(plan=nobody, people=people))


A_STRIKE = Strike(Point(name="commit of closing", nth=1), Mode.DIE_BEFORE)
CONVERGED = Result(case=Case(life=ALL[0], strike=A_STRIKE), passed=[], struck=True, quiet_s=1)


@pytest.mark.parametrize(
    ("calm", "results", "points", "broken"),
    [
        ([CONVERGED], [CONVERGED], 1, []),
        ([CONVERGED], [], 1, ["cases"]),
        ([CONVERGED], [CONVERGED], 0, ["places that write"]),
        (["wrong"], [CONVERGED], 1, ["lives that go wrong undisturbed"]),
        ([CONVERGED], ["wrong"], 1, ["cases that did not converge"]),
        ([CONVERGED], ["not struck"], 1, ["cases that never came to their write"]),
        ([CONVERGED], ["slow"], 1, ["slowest convergence"]),
    ],
)
def test_crash_points_that_did_not_converge_or_were_not_tried_are_not_well(
    calm: list[Any], results: list[Any], points: int, broken: list[str]
) -> None:
    planted: dict[str, dict[str, Any]] = {
        "wrong": {"wrong": "I4: a Job runs without a live row"},
        "not struck": {"struck": False},
        "slow": {"quiet_s": 31.0},
    }

    def of(each: Any) -> Result:
        return Result(**vars(CONVERGED) | planted[each]) if isinstance(each, str) else each

    figures = crash_points._figures([of(one) for one in calm], [of(one) for one in results], points=points)
    assert [figure.name for figure in figures if not figure.ok] == broken


PATH = {"PYTHONPATH": str(removed_guards.ROOT)}
FAILED = "FAILED tests/integration/db/test_transitions.py::test_another_pod_is_refused - AssertionError"


@pytest.mark.parametrize(
    ("with_it", "without_it", "broken"),
    [
        (0, (1, FAILED), []),
        (0, (0, ""), ["guards whose absence no test caught"]),
        (0, (2, "ERROR collecting"), ["guards whose absence no test caught"]),
        (1, (1, FAILED), ["guards whose tests fail with the guard in place"]),
        (5, (1, FAILED), ["guards whose tests fail with the guard in place"]),
    ],
)
async def test_a_guard_counts_as_caught_only_if_its_tests_pass_with_it(
    monkeypatch: pytest.MonkeyPatch, with_it: int, without_it: tuple[int, str], broken: list[str]
) -> None:
    async def tried(_: object, *, removed: str) -> tuple[int, str]:
        return without_it if removed else (with_it, "")

    monkeypatch.setattr(removed_guards, "_pytest", tried)
    figures = await removed_guards.run(Scale(quick=True))
    assert [figure.name for figure in figures if not figure.ok] == broken


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: str(guard.name))
def test_the_tests_of_a_guard_are_there(guard: Guard) -> None:
    wanted = [word for word in guard.only.split() if word != "or"]
    code = (removed_guards.ROOT / guard.test).read_text()
    assert all(re.search(rf"def \w*{word}", code) for word in wanted), wanted


def test_each_guard_is_there_to_be_taken_out() -> None:
    """In a process of its own, which has no guards afterwards."""
    code = "from tests.faults._guard_removal import GUARDS; [guard.take_out() for guard in GUARDS]"
    subprocess.run([sys.executable, "-c", code], cwd=removed_guards.ROOT, env=os.environ | PATH, check=True)


def test_a_guard_that_is_not_known_is_not_taken_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USHER_REMOVED_GUARD", "no_such_guard")
    with pytest.raises(KeyError, match="no_such_guard"):
        _guard_removal.pytest_configure()


def test_another_seed_is_another_case_of_chaos() -> None:
    def drawn(seed: int) -> tuple[str, ...]:
        dice, scale = random.Random(f"chaos {seed}"), Scale(quick=True, seed=seed)
        return (*dice.sample(chaos.THINGS, 1), *chaos._order(list(Fault), scale, dice))

    cases = {drawn(seed) for seed in range(1, 367)}
    assert len(cases) == len(chaos.THINGS) * len(chaos.QUICK_FAULTS)
    assert drawn(7) == drawn(7)
