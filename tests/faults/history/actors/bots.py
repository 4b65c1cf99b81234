"""The bots of a swarm: every try of a callback, and its answer."""

from dataclasses import dataclass

import orjson

from tests.faults.history.format import Outcome, What
from tests.faults.history.recorder import Recorder, outcome_of
from tests.load.botswarm.bot import Bot, Call
from tests.load.botswarm.connections import Response


@dataclass(frozen=True)
class BotObserver:
    """A swarm's `Observer`. The token stays out."""

    recorder: Recorder

    def asked(self, bot: Bot, call: Call) -> int:
        """See Observer."""
        body = orjson.loads(call.body)
        return self.recorder.invoke(
            f"bot {bot.identity.connection_id}",
            What.CALLBACK,
            connection=bot.identity.connection_id,
            pod=bot.identity.pod_uid,
            kind=call.kind,
            event=body["event_id"],
            status=body.get("status"),
        )

    def answered(self, number: int, answer: Response | None) -> None:
        """See Observer."""
        if answer is None:
            self.recorder.answer(number, Outcome.UNKNOWN)
        elif answer.status != 200:
            self.recorder.answer(number, outcome_of(answer.status), code=answer.status)
        else:
            got = orjson.loads(answer.body)
            self.recorder.answer(
                number,
                Outcome.OK,
                code=200,
                meeting=got["meeting_id"],
                status=got["new_status"],
                applied=got["applied"],
            )
