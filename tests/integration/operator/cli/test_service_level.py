"""`usher slo` on a real database."""

import json

import pytest

from tests.integration.operator.cli.conftest import Usher
from tests.scenario import Scenario, a_meeting
from usher_models.states import Source


@pytest.fixture
async def ends(given: Scenario) -> None:
    """Three that went well, one that was denied, one that was evicted, one that crashed long ago, and a live one."""
    for _ in range(3):
        await given.a_bot().active().completed()
    await given.a_bot().starting().failed(reason="admission_denied")
    await given.a_bot(meeting=a_meeting("google_meet")).active().failed(by=Source.EVIDENCE, reason="evicted")
    await given.a_bot().active()
    old = await given.a_bot().active().failed(reason="page_crashed")
    await given.execute(
        "UPDATE usher.transitions SET at = at - interval '3 days' WHERE meeting_id = :id", id=old.meeting_id
    )


@pytest.mark.usefixtures("ends")
async def test_slo_says_through_whom_bots_were_lost_on_each_platform(usher: Usher) -> None:
    told = json.loads(await usher("slo", "--since", "1d", "--objective", "90", "--json"))
    assert told["platforms"]["all"]["attempts"] == 5
    assert told["platforms"]["all"]["joined"] == 4
    assert told["platforms"]["zoom"]["lost"]["host"] == 1
    assert told["platforms"]["google_meet"]["lost"]["infrastructure"] == 1
    assert (told["error_budget"], told["lost_through_us"], told["burn_rate"]) == (0.5, 1, 2.0)


@pytest.mark.usefixtures("ends")
async def test_slo_fits_a_terminal_of_80_columns_and_says_what_it_means(usher: Usher) -> None:
    told = await usher("slo", width=80)
    assert "infrastructure" in told
    assert "2 bots were lost through the cluster, Usher or the bot; with an objective of 99 %" in told
    assert max(map(len, told.splitlines()[:-1])) <= 80


async def test_slo_of_nothing_is_no_error(usher: Usher) -> None:
    assert "0 bots were lost" in await usher("slo")


@pytest.mark.parametrize(("option", "value"), [("--since", "soon"), ("--objective", "100"), ("--objective", "much")])
async def test_slo_refuses_what_it_cannot_mean(usher: Usher, option: str, value: str) -> None:
    assert option in await usher("slo", option, value, code=2)
