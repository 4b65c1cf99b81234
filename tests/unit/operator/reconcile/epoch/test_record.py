"""The record of an epoch goes into a ConfigMap and comes back; anything else in there is not believed."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.operator.reconcile.epoch.test_evidence import RECORD, SEEN
from usher_operator.reconcile.epoch.record import Record, Unreadable


@pytest.mark.parametrize(
    "record",
    [RECORD, replace(RECORD, newest=None), replace(RECORD, system_identifier=None, timeline=None)],
    ids=["whole", "no transition yet", "a server that tells nothing"],
)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    data = {name: value for name, value in record.data().items() if value is not None}
    assert all(isinstance(value, str) for value in data.values())
    assert Record.parse(data) == record


@pytest.mark.parametrize(
    "data",
    [
        {"installation": "mine"},
        {"lastMeetingId": "many"},
        {"lastMeetingId": "2147483647"},
        {"lastMeetingId": "-1"},
        {"seenAt": "yesterday"},
        {"seenAt": "2026-01-01T12:00:00"},
        {"epoch": ""},
        {"databaseOid": "\0"},
        {"timeline": "1" * 5000},
        {"systemIdentifier": "7" * 65},
        {"newestAt": "noon"},
        {"installation": None},
    ],
)
def test_contents_that_make_no_sense_are_not_believed(data: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match=next(iter(data))):
        Record.parse(RECORD.data() | data)


def test_a_foreign_key_beside_it_does_no_harm() -> None:
    assert Record.parse(RECORD.data() | {"note": "by hand"}) == RECORD


def test_ids_do_not_go_back_with_the_database() -> None:
    behind = replace(SEEN, last_meeting_id=7)
    assert Record.of(behind, installation=RECORD.installation, epoch=2, last_meeting_id=40).last_meeting_id == 40


def test_only_the_time_may_differ_for_a_record_to_say_the_same() -> None:
    assert RECORD.says_the_same(replace(RECORD, seen_at=SEEN.at))
    assert not RECORD.says_the_same(RECORD.next_epoch())
