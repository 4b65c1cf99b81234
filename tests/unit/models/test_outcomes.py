"""The table of how a visit can end."""

import re

import pytest

from usher_models.outcomes import DONE, ENDINGS, NOT_ADMITTED, Ending, Party
from usher_models.states import REASON_PATTERN, Reason, sentence

ALL = list(ENDINGS.values())


@pytest.mark.parametrize("ending", ALL, ids=lambda ending: ending.reason)
def test_an_ending_is_complete(ending: Ending) -> None:
    assert re.fullmatch(REASON_PATTERN, ending.reason)
    assert ending.sentence.endswith(".")
    assert sentence(ending.reason) == ending.sentence
    assert ending.reason not in set(Reason)


def test_no_two_endings_share_a_reason_or_a_sentence() -> None:
    assert len({ending.sentence for ending in ALL}) == len(ALL)


def test_what_went_as_intended_is_nobody_s_fault_and_needs_no_retry() -> None:
    for ending in ALL:
        if ending.exit_code == DONE:
            assert ending.fault in (Party.NONE, Party.HOST)
            assert not ending.retry_helps


def test_a_refusal_of_the_platform_s_is_neither_retried_nor_the_bot_s_fault() -> None:
    refusals = [ENDINGS[reason] for reason in ("blocked_by_platform", "captcha_shown", "sign_in_needed")]
    assert {(it.fault, it.retry_helps, it.exit_code) for it in refusals} == {(Party.PLATFORM, False, NOT_ADMITTED)}


def test_a_timeout_is_no_denial() -> None:
    assert ENDINGS["admission_timeout"].retry_helps
    assert not ENDINGS["admission_denied"].retry_helps
