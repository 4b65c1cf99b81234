"""Names and passcodes in a real pod: as they were given, whatever Kubernetes would make of them."""

import pytest

from tests.e2e.kit import Cluster, User
from tests.e2e.security import inside

CHOSEN = """
found["name"], found["passcode"] = os.environ["USHER_BOT_NAME"], os.environ["USHER_PASSCODE"]
"""


@pytest.mark.parametrize(
    ("name", "passcode"),
    [
        ("Notes $(USHER_REDIS_URL)", "pa$$word$(HOME)"),
        ("$$(USHER_PASSCODE)", "$($(HOME))"),
    ],
)
def test_a_name_and_a_passcode_reach_the_bot_as_they_were_given(
    cluster: Cluster, user: User, name: str, passcode: str
) -> None:
    bot = cluster.a_bot(user, called="dollars").asking(botName=name, passcode=passcode).apply().wait_for("Joined")
    assert inside.run(bot, CHOSEN) == {"name": name, "passcode": passcode}
    bot.delete()
