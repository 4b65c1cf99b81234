"""Best-effort calls to the API server share one deadline, run a few at a time, and end with the first slow failure."""

import asyncio
import logging

import pytest

from usher_models.errors import KubernetesUnavailable
from usher_operator.kube import api_budget
from usher_operator.kube.api_budget import AT_ONCE, ApiBudget


async def hangs() -> str:
    await asyncio.sleep(3600)
    return "never"


async def answers() -> str:
    return "answer"


async def refuses() -> str:
    raise KubernetesUnavailable("forbidden")


async def test_a_call_gives_its_answer() -> None:
    assert await ApiBudget().call("bots", answers) == "answer"


async def test_a_hundred_calls_that_hang_take_no_longer_than_the_budget() -> None:
    budget, time = ApiBudget(limit_s=0.2), asyncio.get_running_loop().time
    began_at = time()
    assert await budget.gather(*(budget.call("bots", hangs) for _ in range(100))) == [None] * 100
    assert time() - began_at < 1


async def test_after_a_slow_failure_a_namespace_is_given_up_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(api_budget, "CALL_TIMEOUT_S", 0.05)
    monkeypatch.setattr(api_budget, "SLOW_S", 0.04)
    budget = ApiBudget()
    assert await budget.call("dark", hangs) is None
    assert await budget.call("dark", answers) is None
    assert await budget.call("bots", answers) == "answer"
    assert [record.__dict__["namespace"] for record in caplog.records] == ["dark"]


async def test_a_quick_refusal_stops_no_other_call(caplog: pytest.LogCaptureFixture) -> None:
    budget = ApiBudget()
    assert await budget.call("bots", refuses) is None
    assert await budget.call("bots", answers) == "answer"
    assert [(record.levelno, record.__dict__["action"]) for record in caplog.records] == [
        (logging.WARNING, "api_call_failed")
    ]


async def test_no_more_calls_run_at_once_than_allowed() -> None:
    budget, running, most = ApiBudget(), 0, 0

    async def counted() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await budget.gather(*(budget.call("bots", counted) for _ in range(50)))
    assert most == AT_ONCE
