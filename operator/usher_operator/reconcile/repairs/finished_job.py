"""A Job that ended while its row lives: the bot ended without reporting, and Kubernetes knows how."""

from usher_operator.kube.evidence import verdict
from usher_operator.kube.job_status import connection_id_of, finished
from usher_operator.lifecycle.finished_job import close_finished
from usher_operator.reconcile.sweep import Sweep


async def repair(sweep: Sweep) -> None:
    """End every live row whose Job has ended."""
    for bot in sweep.live:
        job = sweep.job_of(bot)
        if job is not None and finished(job) and connection_id_of(job) == bot.connection_id:
            await close_finished(sweep.acts.closer, bot, verdict(job, sweep.pod_of(bot)))
