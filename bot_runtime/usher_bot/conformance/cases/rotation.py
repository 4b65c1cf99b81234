"""The kubelet replaces the token in its file."""

from usher_bot.conformance.cases.case import Case
from usher_bot.conformance.requirements import READS_TOKEN_AGAIN
from usher_bot.conformance.trial import NEXT_BEAT_S, Trial, now


async def play(trial: Trial) -> None:
    await trial.in_the_meeting(READS_TOKEN_AGAIN)
    trial.rotate_token()
    # The first call may have been made of the old one.
    rotated = now() + NEXT_BEAT_S
    call = await trial.call("heartbeat", after=rotated, within_s=NEXT_BEAT_S * 10)
    trial.demand(READS_TOKEN_AGAIN, call is not None, f"It sent no heartbeat afterwards. {trial.how_it_is()}")
    taken = call is not None and call.token == trial.tokens[-1]
    trial.expect(READS_TOKEN_AGAIN, taken, "It still sends the old token.")


CASE = Case(title="the token is rotated", requirements=(READS_TOKEN_AGAIN,), play=play)
