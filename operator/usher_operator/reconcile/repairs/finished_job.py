"""A Job, or the bot's container in it, that ended while its row lives: Kubernetes knows how the bot ended."""

from usher_operator.kube.job_status import connection_id_of
from usher_operator.lifecycle.finished_job import close_finished
from usher_operator.reconcile.sweep import Sweep


async def repair(sweep: Sweep) -> None:
    """End every live row whose bot has ended."""
    for bot in sweep.live:
        job = sweep.job_of(bot)
        if job is not None and connection_id_of(job) == bot.connection_id:
            await close_finished(sweep.acts.closer, bot, job, sweep.pod_of(bot), api=sweep.api)
