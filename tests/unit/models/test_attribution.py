"""Whose doing an end was: known for every reason, and never unknown for one of ours."""

from typing import get_args

import pytest

from usher_bot.exit_codes import BotReason
from usher_models.attribution import PARTY_OF, fault_of
from usher_models.outcomes import Party
from usher_models.states import LIVE, Reason, Status
from usher_models.wire import ReasonKind

# Reasons of a meeting that goes on; none of them ends one.
GOING_ON = {
    Reason.REQUESTED,
    Reason.ADOPTED,
    Reason.STARTED,
    Reason.JOINED,
    Reason.LEAVING,
    Reason.JOB_CREATE_FORBIDDEN,
    Reason.POD_REFUSED,
    Reason.UNSCHEDULABLE,
    Reason.IMAGE_PULL_RETRYING,
    Reason.CONTAINER_BLOCKED,
}


def test_every_reason_that_ends_a_meeting_has_a_party() -> None:
    assert set(Reason) - GOING_ON <= PARTY_OF.keys()
    assert set(BotReason) <= PARTY_OF.keys()
    assert not GOING_ON & PARTY_OF.keys()


@pytest.mark.parametrize("status", sorted(LIVE))
def test_a_meeting_that_goes_on_is_nobodys_fault(status: Status) -> None:
    assert fault_of("heartbeat_lost", status) is None


@pytest.mark.parametrize(
    ("reason", "target", "party"),
    [
        ("admission_denied", Status.FAILED, Party.HOST),
        ("passcode_wrong", Status.FAILED, Party.USER),
        ("captcha_shown", Status.FAILED, Party.PLATFORM),
        ("page_crashed", Status.FAILED, Party.BOT),
        ("network_lost", Status.FAILED, Party.INFRASTRUCTURE),
        ("evicted", Status.FAILED, Party.INFRASTRUCTURE),
        ("request_deleted", Status.FAILED, Party.USER),
        ("exit_code_137", Status.FAILED, Party.BOT),
        ("a_word_of_its_own", Status.FAILED, Party.BOT),
        ("meeting_ended", Status.COMPLETED, Party.NONE),
        ("evicted_from_meeting", Status.COMPLETED, Party.HOST),
        ("stopped", Status.COMPLETED, Party.NONE),
        ("max_duration_exceeded", Status.COMPLETED, Party.NONE),
        ("max_duration_exceeded", Status.FAILED, Party.BOT),
        ("ended_externally", Status.COMPLETED, Party.NONE),
        # It was not in its meeting, so it did not go as intended.
        ("left_alone", Status.FAILED, Party.BOT),
    ],
)
def test_an_end_is_somebodys_doing(reason: str, target: Status, party: Party) -> None:
    assert fault_of(reason, target) is party


def test_a_bot_may_name_every_party_that_it_can_know() -> None:
    assert set(get_args(ReasonKind)) == set(Party) - {Party.NONE, Party.USHER}


def test_a_bot_says_it_of_its_own_reasons_and_of_no_others() -> None:
    assert fault_of("studio_offline", Status.FAILED, declared=Party.PLATFORM) is Party.PLATFORM
    assert fault_of("exit_code_9", Status.FAILED, declared=Party.HOST) is Party.HOST
    assert fault_of("page_crashed", Status.FAILED, declared=Party.PLATFORM) is Party.BOT
    assert fault_of("studio_offline", Status.COMPLETED, declared=Party.PLATFORM) is Party.NONE
