"""Every reason of Usher's in the words of Vexa."""

from typing import Any

import pytest

from tests.fakes.bots import RESERVED_AT
from usher_bot.exit_codes import BotReason
from usher_models.db.meetings import Record
from usher_models.outcomes import ENDINGS
from usher_models.states import Reason
from usher_operator.api.schemas.responses import MeetingResponse
from usher_operator.api.vexa.legacy_reasons import OF_REASON, WORDS, word_of
from usher_operator.api.vexa.legacy_statuses import LEGACY_STATUSES

# They are reasons of a live meeting, and end none.
OF_LIVE_MEETINGS = {
    Reason.REQUESTED,
    Reason.STARTED,
    Reason.ADOPTED,
    Reason.JOINED,
    Reason.LEAVING,
    Reason.JOB_CREATE_FORBIDDEN,
    Reason.POD_REFUSED,
    Reason.UNSCHEDULABLE,
    Reason.IMAGE_PULL_RETRYING,
    Reason.CONTAINER_BLOCKED,
}
# MeetingCompletionReason as it stands in the sources.
V0_10_7 = {
    "stopped", "validation_error", "awaiting_admission_timeout", "awaiting_admission_rejected", "left_alone", "evicted",
    "max_bot_time_exceeded", "stopped_before_admission", "stopped_with_no_audio", "join_failure",
}  # fmt: skip
NEWEST = V0_10_7 | {"auth_session_missing", "startup_alone"}
FAILURE_STAGES = {"requested", "joining", "awaiting_admission", "active"}


def test_every_reason_that_ends_a_meeting_has_an_entry() -> None:
    assert set(OF_REASON) == (set(Reason) - OF_LIVE_MEETINGS) | set(BotReason) | set(ENDINGS)


@pytest.mark.parametrize("reason", OF_REASON)
def test_every_word_is_one_of_vexas(reason: str) -> None:
    assert OF_REASON[reason] in WORDS | {None}
    assert V0_10_7 >= WORDS
    assert NEWEST >= WORDS


@pytest.mark.parametrize("reason", [*OF_REASON, "a_word_of_a_bots_own", "exit_code_3"])
@pytest.mark.parametrize(
    ("status", "reached", "without_word"),
    [
        ("completed", None, "stopped"),
        ("failed", "reserved", "join_failure"),
        ("failed", "starting", "join_failure"),
        ("failed", "active", None),
        ("failed", "stopping", None),
    ],
)
def test_what_has_no_word_is_told_by_how_far_the_bot_came(
    reason: str, status: str, reached: str | None, without_word: str | None
) -> None:
    word = word_of(reason, owned=True, status=status, reached=reached)
    assert word == (OF_REASON.get(reason) or without_word)


@pytest.mark.parametrize(
    ("reason", "owned", "word"),
    [("evicted", True, None), ("evicted", False, "evicted"), ("evicted_from_meeting", True, "evicted")],
)
def test_a_pod_that_lost_its_node_was_not_removed_from_its_meeting(reason: str, owned: bool, word: str | None) -> None:
    assert word_of(reason, owned=owned, status="failed", reached="active") == word


def a_record(**fields: Any) -> Record:
    values: dict[str, Any] = dict.fromkeys(Record.__dataclass_fields__)
    plain = {
        "id": 1, "user_id": 7, "platform": "zoom", "native_id": "85123456789", "status": "failed", "data": {},
        "owned": True, "created_at": RESERVED_AT,
    }  # fmt: skip
    return Record(**values | plain | fields)


def shown(record: Record, *, legacy: bool = True) -> dict[str, Any]:
    return MeetingResponse.of(record).model_dump(mode="json", context={LEGACY_STATUSES: legacy})


def test_the_words_are_in_the_data_too_where_vexas_dashboard_reads_them() -> None:
    record = a_record(reason="admission_denied", last_status="starting", stage="lobby", data={"name": "Standup"})
    body = shown(record)
    words = {"completion_reason": "awaiting_admission_rejected", "failure_stage": "awaiting_admission"}
    assert {name: body[name] for name in words} == words
    assert body["data"] == {"name": "Standup"} | words
    assert shown(record, legacy=False)["data"] == {"name": "Standup"}


@pytest.mark.parametrize("reached", ["reserved", "starting", "active", "stopping"])
@pytest.mark.parametrize("stage", [None, "booting", "lobby", "leaving"])
def test_how_far_a_failed_meeting_came_is_one_of_vexas_stages(reached: str, stage: str | None) -> None:
    assert shown(a_record(reason="oom_killed", last_status=reached, stage=stage))["failure_stage"] in FAILURE_STAGES


def test_a_row_of_vexa_keeps_its_own_words() -> None:
    data = {"completion_reason": "evicted", "failure_stage": "active"}
    body = shown(a_record(owned=False, status="failed", data=data))
    assert (body["completion_reason"], body["failure_stage"], body["data"]) == ("evicted", "active", data)
