"""What a rewind's world is made of, and what counts as a second bot or a second change."""

import pytest

from tests.faults.rewinding.ground import Seen
from tests.faults.rewinding.rewind import Facts, Rewind
from tests.faults.rewinds import REWINDS, Names, Result, table
from tests.integration.operator.webhooks.receiver import Received


@pytest.mark.parametrize("kind", REWINDS)
def test_every_world_has_as_many_bots_as_it_says(kind: type[Rewind]) -> None:
    names = Names.of(kind.facts, bots=200)
    assert len({*names.staying, *names.late}) == 200
    assert len(names.leaving) == 20
    assert set(names.lost).isdisjoint(names.leaving)
    assert len(names.late) == (20 if kind.facts.keeps_late_bots else 0)


def received(webhook_id: str, body: str) -> Received:
    """A webhook as a receiver gets it."""
    return Received(headers={"Webhook-Id": webhook_id}, body=body)


def test_a_redelivery_with_the_same_bytes_is_one_change_and_other_bytes_are_two() -> None:
    seen = Seen()
    for webhook_id, body in (("a", "1"), ("a", "1"), ("b", "1")):
        seen.answer(received(webhook_id, body))
    assert seen.ambiguous_webhooks() == 0
    seen.answer(received("b", "2"))
    assert seen.ambiguous_webhooks() == 1


def test_a_meeting_with_two_bots_or_two_pods_is_counted() -> None:
    seen = Seen()
    seen.joined["one"] |= {"first"}
    seen.pods["one"] |= {"first"}
    assert seen.rooms_with_two() == 0
    seen.pods["one"] |= {"second"}
    seen.joined["two"] |= {"first", "second"}
    assert seen.rooms_with_two() == 2


def test_the_table_has_a_line_for_each_rewind() -> None:
    result = Result(
        facts=Facts(name="schema dropped"),
        watched=185,
        ended=0,
        second=1,
        unsaid=2,
        ambiguous=3,
        webhooks=1234,
        rest_s=71.6,
        figures=[],
    )
    assert table([result]).splitlines()[-1] == "| schema dropped | 185 | 0 | 1 | 2 | 1,234 | 3 | 72 s |"
