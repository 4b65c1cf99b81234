"""A pod whose image will never be there: the kubelet says so, and waiting for a deadline would not help."""

from usher_models.db.transitions import Closing
from usher_models.states import Reason, Source, Status
from usher_operator.kube.evidence import hopeless_image, waiting_reason
from usher_operator.reconcile.sweep import Sweep


async def repair(sweep: Sweep) -> None:
    """Fail its meeting. An image that may still arrive (ImagePullBackOff) gets until the reserved deadline."""
    closings = []
    for bot in sweep.live:
        pod = sweep.pod_of(bot)
        if bot.status is Status.RESERVED and hopeless_image(pod):
            closings.append(
                Closing(
                    meeting_id=bot.meeting_id,
                    reason=Reason.IMAGE_PULL_FAILED,
                    message=f"The bot's image cannot be pulled: {waiting_reason(pod)}.",
                    detail=await sweep.acts.closer.last_words(bot, pod, sweep.api),
                )
            )
    await sweep.acts.closer.close(
        closings,
        mode="unpullable_image",
        target=Status.FAILED,
        source=Source.EVIDENCE,
        api=sweep.api,
        guard="m.status = 'reserved'",
    )
