"""Reasons, exit codes, refusals and conditions: made from the tables and classes that the code itself uses.

What a reason means comes from there. What to look at stands in `advice.yaml`: a reason without an entry fails a test.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from dev.docs.markdown import code, head, table
from usher_bot import exit_codes
from usher_bot.exit_codes import BotReason, ExitCode, Outcome
from usher_models.attribution import PARTY_OF
from usher_models.errors import InvalidMeeting, Refused, UsherError
from usher_models.outcomes import ENDINGS
from usher_models.states import Reason, sentence
from usher_operator.kube.botrequest_status import camel

ADVICE = Path(__file__).parent / "advice.yaml"
TEXT = """
Why a meeting is where it is, as one word for programs and one sentence for people. `usher why`, the REST API, webhooks
and `usher.transitions` show the word as it stands here; a BotRequest shows it in the spelling of Kubernetes
(`HeartbeatLost`). [Debug a meeting](../howto/debug-a-meeting.md) says where to find it. `make docs` makes this page
from `models/usher_models/states.py`, `bot_runtime/usher_bot/exit_codes.py`, `models/usher_models/errors.py` and
`dev/docs/advice.yaml`.

The column fault says whose doing it is that a meeting fails so; [Service level](service-level.md) says what is counted
by it. A meeting that completed went as intended (`none`), unless the reason says that somebody cut it short. A process
that ended with an exit code alone is the bot's.
"""
OWN = """## Reasons a bot gives

`usher-bot` gives these reasons itself. A bot of your own may give any reason of its own in `exited`: lower-case
letters, digits and underscores, at most 64 characters; `reason_kind` beside it says whose doing it was (`user`,
`host`, `platform`, `infrastructure` or `bot`), else it counts as the bot's.

"""
CODES = """## Exit codes

The exit codes of `usher-bot`. A program under the driver `exec` ends with its own code, and 128 and the signal's
number for a signal: 137 is SIGKILL, 143 SIGTERM. Exit code 0 completes the meeting, any other fails it. A code
without a better reason is shown as `exit_code_N`.

"""
REFUSALS = """## Refusals

A BotRequest in phase `refused` got no slot: the conditions `Accepted` and `SlotReserved` are False and have one of
these reasons. It stays refused; create a new one when the cause is gone. The REST API refuses with the same
[codes](rest-api.md#error-codes).

"""
CONDITIONS = """## Conditions of a BotRequest

| condition | True | False |
|---|---|---|
| `Accepted` | `Accepted`: the BotRequest has a meeting | the refusal |
| `SlotReserved` | `Reserved`: the bot holds one of the user's slots | `Released`: the meeting ended; or the refusal |
| `JobCreated` | `Created` | `Pending`: the Job is not created yet; or why not; or the reason of the end |
| `Started` | `Started`: the bot's process runs | `Pending`; or what keeps its pod from running; or how it ended |
| `Joined` | `Joined`, or `SimulationJoined` for a bot that joins none | `NotYet`; or the reason of the end |
| `Finished` | the reason of the end | `Live`: the bot has not ended |

`Accepted` is Unknown while Usher cannot handle a request and tries again. The reason is `InternalError`, and the
operator's log says what is wrong; or `DatabaseForbids` (a privilege is missing), `DatabaseWentBack` (bots that the
database has lost are put back first), `ForeignDatabase` (the database is another installation's) or `RowMissing` (a bot
runs whose row cannot be put back).
"""


def page() -> str:
    """The whole page."""
    advice = yaml.safe_load(ADVICE.read_text())
    return (
        head("Reasons and exit codes", TEXT)
        + f"## Reasons of a meeting\n\n{_reasons([(reason, sentence(reason)) for reason in Reason], advice)}"
        + f"{OWN}{_reasons(list(own_reasons().items()), advice)}"
        + f"{CODES}{table(('code', 'meaning'), ([code(int(each)), each.sentence] for each in ExitCode))}"
        + f"{REFUSALS}{table(('reason', 'code', 'meaning'), _refusals())}"
        + CONDITIONS
    )


def _reasons(reasons: list[tuple[str, str]], advice: dict[str, str]) -> str:
    rows = ([code(reason), code(camel(reason)), said, _party(reason), advice[reason]] for reason, said in reasons)
    return table(("reason", "on the BotRequest", "meaning", "fault", "what to look at"), rows)


def _party(reason: str) -> str:
    """Whose doing it is that a meeting fails with that reason; nothing for a reason that ends none."""
    party = PARTY_OF.get(reason)
    return code(party) if party else ""


def own_reasons() -> dict[str, str]:
    """Each reason of `usher-bot`'s own, and its sentence."""
    outcomes = [value for value in vars(exit_codes).values() if isinstance(value, Outcome)]
    outcomes += [exit_codes.driver_error(""), exit_codes.unreachable(""), exit_codes.program_silent(120)]
    outcomes += [exit_codes.dismissed(ExitCode.DISMISSED.sentence)]
    own = {outcome.reason: outcome.sentence for outcome in outcomes if outcome.reason in list(BotReason)}
    return {**{reason: ending.sentence for reason, ending in ENDINGS.items()}, **own}


def _refusals() -> Iterator[list[str]]:
    kinds: list[type[UsherError]] = [*_leaves(Refused), InvalidMeeting]
    for error in kinds:
        yield [code(camel(error.code)), code(error.code), _said(error)]


def _leaves(kind: type[UsherError]) -> Iterator[type[UsherError]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _leaves(inner)


def _said(error: type[UsherError]) -> str:
    return (error.__doc__ or "").strip()
