"""The requirements that a bot is certified against: made from the table that the kit itself uses."""

from dev.docs.markdown import code, head, table
from usher_bot.conformance.cases import CASES

TEXT = """
`usher-bot conformance` runs a bot against a control plane of its own, in the cases below, and says which requirements
it keeps. [Bring your own bot](../howto/bring-your-own-bot.md#certify-it) shows how. `make docs` makes this page from
`bot_runtime/usher_bot/conformance`. `make faults ONLY=conformance` plays a bot with each fault, which must be found.

Exit code 0 means that every requirement is kept, 1 that one is not, 2 that the arguments are wrong. Each requirement
that is not kept is explained, with the bot's last lines. `--report FILE.md` or `FILE.json` also writes a report.
"""


def page() -> str:
    """The whole page."""
    return head("Conformance", TEXT) + table(
        ("requirement", "what it asks for", "shown by", "otherwise"),
        ([code(each.name), each.rule, case.title, each.otherwise] for case in CASES for each in case.requirements),
    )
