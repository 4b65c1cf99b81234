"""The reason that a BotRequest shows is read back as it was written."""

import pytest

from usher_models.states import Reason
from usher_operator.kube.botrequest_status import camel
from usher_operator.reconcile.repairs.shown_end import reason_of


@pytest.mark.parametrize("reason", [*Reason, "exit_code_137", "removed_from_meeting"])
def test_a_shown_reason_is_read_back(reason: str) -> None:
    assert reason_of(camel(reason)) == reason


@pytest.mark.parametrize("shown", [None, "", "not a reason", "X" * 100])
def test_what_nobody_can_have_written_is_not_believed(shown: str | None) -> None:
    assert reason_of(shown) == Reason.ADOPTED
