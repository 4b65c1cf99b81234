"""Each reason and refusal is explained."""

import pytest
import yaml

from dev.docs import reasons
from tests.fakes.bots import RESERVED_AT, a_bot_row
from tests.fakes.settings import INSTALLATION
from usher_bot.exit_codes import BotReason
from usher_models.db.bots import Bot
from usher_models.errors import Refused
from usher_models.states import SENTENCES, Reason, Status
from usher_operator.kube.botrequest_status import status_of

ADVICE = yaml.safe_load(reasons.ADVICE.read_text())


def test_every_reason_has_advice_and_no_other_word_has() -> None:
    assert sorted(ADVICE) == sorted([*Reason, *BotReason]), f"say in {reasons.ADVICE.name} what to look at"


@pytest.mark.parametrize("reason", [*Reason, *BotReason])
def test_advice_is_a_sentence(reason: str) -> None:
    assert ADVICE[reason].endswith(".")


def test_every_reason_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Reason)
    assert set(reasons.own_reasons()) == set(BotReason)


def test_every_refusal_is_on_the_page() -> None:
    page = reasons.page()
    for error in Refused.__subclasses__():
        assert f"`{error.code}`" in page


BOTS = [
    a_bot_row(),
    a_bot_row(job_created_at=RESERVED_AT, started_at=RESERVED_AT, joined_at=RESERVED_AT, status=Status.ACTIVE),
    a_bot_row(status=Status.FAILED, reason=Reason.NEVER_STARTED, ended_at=RESERVED_AT),
]


@pytest.mark.parametrize("bot", BOTS, ids=lambda bot: str(bot.status))
def test_every_condition_and_its_reason_is_on_the_page(bot: Bot) -> None:
    page = reasons.page()
    for condition in status_of(bot, installation=INSTALLATION)["conditions"]:
        assert f"| `{condition['type']}` |" in page
        assert f"`{condition['reason']}`" in page
