"""Each reason of the bot's, and the exit code it ends with."""

import pytest

from usher_bot.exit_codes import BotReason, ExitCode, ended
from usher_models.outcomes import ENDINGS

NOT_ENDINGS = {BotReason.BOT_SILENT, BotReason.CONTROL_PLANE_UNREACHABLE, BotReason.DISMISSED}


@pytest.mark.parametrize("reason", sorted(set(BotReason) - NOT_ENDINGS))
def test_every_ending_of_a_visit_is_in_the_table_that_both_sides_read(reason: BotReason) -> None:
    outcome = ended(reason, detail="why")
    assert outcome.exit_code in set(ExitCode)
    assert (outcome.reason, outcome.sentence, outcome.detail) == (reason, ENDINGS[reason].sentence, "why")


def test_the_table_holds_no_reason_that_no_bot_gives() -> None:
    assert set(ENDINGS) == {str(reason) for reason in set(BotReason) - NOT_ENDINGS}
