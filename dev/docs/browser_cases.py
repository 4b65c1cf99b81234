"""What the browser driver makes of each state and trap, made from the cases that `make browser` runs."""

from collections.abc import Iterator

from dev.docs.markdown import code, head, table
from tests.browser.standins.cases import PLATFORMS, STATES, Case, all_cases

TEXT = """
`make browser-quick` plays each of these to the [browser driver](browser.md), in a real Chromium, against stand-ins:
pages written from what is publicly known of the platforms, with the media of a real conference server. None of it was
tried against the live services. A stand-in and the driver never read the same table of texts. `make docs` makes this
page from `tests/browser/standins/cases.py`.
"""
STATES_HEAD = """## States

How the visit must end, as one of the [reasons](reasons.md), or `inside`: the bot is in the meeting and stays.

"""
TRAPS_HEAD = """
## Traps

What a page does that could be taken for something else, and the states in which it is laid, on each platform.

"""


def page() -> str:
    """The whole page."""
    cases = all_cases()
    return (
        head("What the browser bot makes of a page", f"{TEXT}There are {len(cases)} cases.\n")
        + STATES_HEAD
        + table(("state", *map(code, PLATFORMS)), _states(cases))
        + TRAPS_HEAD
        + table(("trap", "laid in", "cases"), _traps(cases))
    )


def _states(cases: list[Case]) -> Iterator[list[str]]:
    plain = {(case.platform, case.state): case.expected for case in cases if not case.traps}
    for state in STATES:
        found = [plain.get((platform, state)) for platform in PLATFORMS]
        yield [code(state), *(code(reason) if reason else "" for reason in found)]


def _traps(cases: list[Case]) -> Iterator[list[str]]:
    for trap in dict.fromkeys(trap for case in cases for trap in case.traps):
        laid = [case for case in cases if trap in case.traps]
        yield [code(trap), ", ".join(map(code, dict.fromkeys(case.state for case in laid))), str(len(laid))]
