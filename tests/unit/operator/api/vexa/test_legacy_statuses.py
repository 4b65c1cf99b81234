"""Statuses as clients of older versions of Vexa read them, where a server is told to say them so."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter

from usher_operator.api.schemas.responses import TransitionResponse, Transitions
from usher_operator.api.vexa.legacy_statuses import LEGACY_STATUSES, status_filter, status_word

AT = datetime(2026, 1, 1, tzinfo=UTC)


def _said(origin: str | None, target: str, *, legacy: bool) -> tuple[str | None, str]:
    line = TransitionResponse(
        seq=1, from_status=origin, to_status=target, source="bot", reason=None, fault=None, detail={}, at=AT
    )
    body = Transitions(meeting_id=1, transitions=[line])
    said = TypeAdapter(Transitions).dump_python(body, context={LEGACY_STATUSES: legacy})
    (shown,) = said["transitions"]
    return shown["from_status"], shown["to_status"]


@pytest.mark.parametrize(
    ("own", "older"),
    [
        ((None, "reserved"), (None, "requested")),
        (("reserved", "starting"), ("requested", "joining")),
        (("starting", "active"), ("joining", "active")),
        (("active", "stopping"), ("active", "stopping")),
        (("stopping", "completed"), ("stopping", "completed")),
        (("active", "failed"), ("active", "failed")),
        (("requested", "joining"), ("requested", "joining")),
    ],
)
def test_only_what_older_versions_did_not_know_has_another_name(
    own: tuple[str | None, str], older: tuple[str | None, str]
) -> None:
    assert _said(*own, legacy=True) == older
    assert _said(*own, legacy=False) == own


@pytest.mark.parametrize(
    ("status", "stage", "word"),
    [
        ("reserved", "pulling", "requested"),
        ("starting", "booting", "joining"),
        ("starting", "lobby", "awaiting_admission"),
        ("needs_help", None, "needs_human_help"),
        ("needs_human_help", None, "needs_human_help"),
        ("active", "in_meeting", "active"),
    ],
)
def test_each_word_finds_the_rows_that_are_shown_with_it(status: str, stage: str | None, word: str) -> None:
    assert status_word(status, stage=stage) == word
    found = status_filter(word, legacy=True)
    assert status in found.statuses
    assert found.in_lobby in (None, stage == "lobby")
