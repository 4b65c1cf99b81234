"""What proves that the database went back, and what does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fakes.settings import INSTALLATION
from usher_models.db.epoch import NewestTransition, Sighting
from usher_operator.reconcile.epoch.evidence import Evidence, compare, in_words, is_remade, proves_loss
from usher_operator.reconcile.epoch.record import Record

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NEWEST = NewestTransition(meeting_id=40, seq=3, at=NOON)
RECORD = Record(
    epoch=2,
    seen_at=NOON,
    installation=INSTALLATION,
    system_identifier="7713",
    database_oid=16384,
    timeline=1,
    last_meeting_id=40,
    newest=NEWEST,
)
SEEN = Sighting(
    at=NOON + timedelta(minutes=1),
    installation=INSTALLATION,
    installation_made_at=NOON - timedelta(days=30),
    system_identifier="7713",
    database_oid=16384,
    timeline=1,
    last_meeting_id=41,
    newest=NEWEST,
)
MONTH = timedelta(days=30)


def signs(*, stands: bool = True, record: Record = RECORD, kept_for: timedelta | None = MONTH, **seen: Any) -> set[str]:
    return set(compare(record, replace(SEEN, **seen), stands=stands, kept_for=kept_for))


def test_a_database_that_went_on_shows_no_sign() -> None:
    assert signs() == set()


@pytest.mark.parametrize(
    ("seen", "sign"),
    [
        ({"last_meeting_id": 39}, Evidence.IDS_BEHIND),
        ({"database_oid": 17000}, Evidence.DATABASE_REPLACED),
        ({"system_identifier": "7714"}, Evidence.DATABASE_REPLACED),
        ({"timeline": 2}, Evidence.FAILED_OVER),
    ],
)
def test_each_difference_is_a_sign(seen: dict[str, Any], sign: Evidence) -> None:
    assert signs(**seen) == {sign}


def test_a_transition_that_is_gone_is_a_sign() -> None:
    assert signs(stands=False) == {Evidence.TRANSITION_LOST}


def test_an_old_transition_may_have_been_deleted_by_its_age() -> None:
    assert signs(stands=False, at=NOON + MONTH) == set()
    assert signs(stands=False, at=NOON + MONTH - timedelta(seconds=1)) == {Evidence.TRANSITION_LOST}
    assert signs(stands=False, at=NOON + MONTH, kept_for=None) == {Evidence.TRANSITION_LOST}


def test_what_a_server_does_not_tell_is_no_sign() -> None:
    assert signs(system_identifier=None, timeline=None) == set()
    assert signs(record=replace(RECORD, system_identifier=None, timeline=None)) == set()


def test_the_timeline_of_another_server_says_nothing() -> None:
    assert signs(system_identifier="7714", timeline=9) == {Evidence.DATABASE_REPLACED}


def test_a_failover_alone_proves_no_loss() -> None:
    assert not proves_loss([Evidence.FAILED_OVER])
    assert proves_loss([Evidence.FAILED_OVER, Evidence.TRANSITION_LOST])


def test_every_sign_has_words() -> None:
    assert all(in_words([sign]) for sign in Evidence)


@pytest.mark.parametrize(
    ("seen", "remade"),
    [
        ({"installation_made_at": NOON + timedelta(seconds=1)}, True),
        ({"installation_made_at": NOON}, False),
        ({"installation_made_at": NOON + timedelta(seconds=1), "database_oid": 17000}, False),
        ({"installation_made_at": NOON + timedelta(seconds=1), "system_identifier": "7714"}, False),
        ({"installation_made_at": NOON + timedelta(seconds=1), "system_identifier": None}, False),
    ],
)
def test_only_a_newer_schema_in_the_very_same_database_was_made_anew(seen: dict[str, Any], remade: bool) -> None:
    assert is_remade(RECORD, replace(SEEN, **seen)) is remade
