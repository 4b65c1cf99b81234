"""A whole life: the bot starts, joins, sends heartbeats, and is asked to leave."""

import asyncio
import statistics
from itertools import pairwise

from usher_bot.conformance.cases.case import Case
from usher_bot.conformance.requirements import (
    CLEAN_END,
    EXITED,
    HEARTBEATS,
    IDENTITY,
    JOINED,
    LEAVES_ON_COMMAND,
    NOTHING_LEFT,
    STARTED,
    TOKEN_KEPT,
)
from usher_bot.conformance.trial import MEETING_ID, NEXT_BEAT_S, START_WITHIN_S, Trial, now
from usher_models.wire import leave_command

BEATS = 5
# How far the middle gap between heartbeats may be from what the replies asked for.
PACE_MIN_S, PACE_MAX_S = NEXT_BEAT_S / 2, NEXT_BEAT_S * 3
# A report may still be on its way when the process ended.
SETTLE_S = 0.5


async def play(trial: Trial) -> None:
    await _starts(trial)
    await trial.in_the_meeting(JOINED)
    await _beats(trial)
    await _leaves(trial)
    await asyncio.sleep(SETTLE_S)
    _check_exited(trial)
    left = trial.program.processes()
    trial.expect(NOTHING_LEFT, not left, f"Processes that still run: {left}.")
    _check_identity(trial)
    said = any(token in trial.program.output() for token in trial.tokens)
    trial.expect(TOKEN_KEPT, not said, "The token stands in what it wrote.")


async def _starts(trial: Trial) -> None:
    started = await trial.call("started", within_s=START_WITHIN_S)
    trial.demand(STARTED, started is not None, f"No `started` in {START_WITHIN_S:.0f} s. {trial.how_it_is()}")
    first = trial.plane.calls[0].kind
    trial.expect(STARTED, first == "started", f"Its first callback was `{first}`.")


async def _beats(trial: Trial) -> None:
    came = await trial.plane.until(
        lambda: len(trial.plane.of("heartbeat")) >= BEATS or trial.program.exit_code is not None,
        within_s=BEATS * PACE_MAX_S + 2,
    )
    times = [call.at for call in trial.plane.of("heartbeat")]
    if not trial.expect(
        HEARTBEATS, came and len(times) >= BEATS, f"{len(times)} heartbeats instead of {BEATS}. {trial.how_it_is()}"
    ):
        return
    gap_s = statistics.median(later - earlier for earlier, later in pairwise(times))
    trial.expect(
        HEARTBEATS,
        PACE_MIN_S <= gap_s <= PACE_MAX_S,
        f"One every {gap_s:.2f} s, but the replies ask for one every {NEXT_BEAT_S:.0f} s.",
    )


async def _leaves(trial: Trial) -> None:
    trial.plane.commands.append(leave_command(MEETING_ID))
    asked = now()
    grace_s = trial.candidate.leave_grace_s
    ended = await trial.program.ended(within_s=grace_s + 10)
    took_s = now() - asked
    trial.demand(LEAVES_ON_COMMAND, ended, f"It still ran {took_s:.0f} s after the command.")
    trial.expect(
        LEAVES_ON_COMMAND,
        took_s < grace_s - 1,
        f"It took {took_s:.1f} s, which is its whole grace: it was ended by force.",
    )


def _check_exited(trial: Trial) -> None:
    code = trial.program.exit_code
    trial.expect(CLEAN_END, code == 0, f"Its exit code was {code}.")
    exited = trial.plane.of("exited")
    trial.expect(EXITED, bool(exited), "It ended without reporting `exited`.")
    if exited:
        said = exited[0].body.get("exit_code")
        trial.expect(EXITED, said == code, f"It reported exit code {said}, and its process ended with {code}.")
        last = trial.plane.calls[-1].kind
        trial.expect(EXITED, last == "exited", f"It reported `{last}` after `exited`.")


def _check_identity(trial: Trial) -> None:
    connection_ids = {call.body.get("connection_id") for call in trial.plane.calls}
    trial.expect(IDENTITY, connection_ids == {trial.connection_id}, f"It sent the connection ids {connection_ids}.")
    trial.expect(
        IDENTITY,
        {call.token for call in trial.plane.calls} == set(trial.tokens),
        "Some of its callbacks carried another token, or none.",
    )


CASE = Case(
    title="a whole life, ended by a command",
    requirements=(
        STARTED,
        IDENTITY,
        JOINED,
        HEARTBEATS,
        LEAVES_ON_COMMAND,
        CLEAN_END,
        EXITED,
        NOTHING_LEFT,
        TOKEN_KEPT,
    ),
    play=play,
)
