"""A live row whose BotRequest shows the end of its bot: the database has lost the end, and the BotRequest tells it.

Only the end of a row is ever shown as one, so the row had ended before. Nothing of the bot may run any more: a status
may also have been edited by hand.
"""

import re
from collections.abc import Iterator

from usher_models.db.bots import BotSummary
from usher_models.db.transitions import Closing
from usher_models.states import REASON_PATTERN, Reason, Source, Status
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job_status import finished
from usher_operator.reconcile.sweep import Sweep

MODE = "shown_end"


async def repair(sweep: Sweep) -> None:
    """End those rows as their BotRequests say."""
    closings: dict[Status, list[Closing]] = {Status.COMPLETED: [], Status.FAILED: []}
    for bot, request in _over(sweep):
        closing = Closing(meeting_id=bot.meeting_id, reason=reason_of(request.reason))
        closings[Status(str(request.phase))].append(closing)
    for target, some in closings.items():
        await sweep.acts.closer.close(
            some, mode=MODE, target=target, source=Source.ADOPTION, api=sweep.api, keep_jobs=True
        )


def _over(sweep: Sweep) -> Iterator[tuple[BotSummary, BotRequest]]:
    ended = {request.connection_id: request for request in sweep.snapshot.requests if request.ended}
    for bot in sweep.known() if ended else ():
        request = ended.get(bot.connection_id)
        if request is not None and bot.request_uid in (None, request.uid) and _is_gone(sweep, bot):
            yield bot, request


def _is_gone(sweep: Sweep, bot: BotSummary) -> bool:
    job = sweep.job_of(bot)
    return finished(job) if job is not None else sweep.pod_of(bot) is None


def reason_of(shown: str | None) -> str:
    """The reason that a status shows in CamelCase; one that nobody can have had is not believed."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])", "_", shown or "").lower()
    return snake if re.match(REASON_PATTERN, snake) else Reason.ADOPTED
