"""What a sweep sees: everything that matters, and of what succeeded only what a live row still stands for."""

from dataclasses import replace

from tests.fakes.bots import a_bot_row
from tests.fakes.kube import FakeKube
from tests.fakes.objects import COMPLETE, FAILED_BY_POLICY, a_botrequest, a_job, a_pod, running, terminated
from usher_models.db.bots import Bot
from usher_models.errors import KubernetesUnavailable
from usher_operator.reconcile.snapshot import take


def a_live_bot(number: int) -> Bot:
    return a_bot_row(
        meeting_id=number, job_name=f"bot-{number}", request_namespace="bots", job_created_at=a_bot_row().reserved_at
    )


def a_cluster() -> FakeKube:
    """A Job that runs, one that failed, and two that succeeded."""
    kube = FakeKube()
    states = {1: (None, running()), 2: (FAILED_BY_POLICY, terminated(1))}
    states |= {3: (COMPLETE, terminated(0)), 4: (COMPLETE, terminated(0))}
    for number, (condition, state) in states.items():
        kube.jobs["bots", f"bot-{number}"] = a_job(number, condition=condition)
        kube.pods["bots", f"bot-{number}"] = a_pod(f"bot-{number}", state=state)
    return kube


async def test_what_succeeded_is_seen_only_where_the_row_lives_on() -> None:
    taken = await take(a_cluster(), ("bots",), [a_live_bot(1), a_live_bot(3)])
    assert taken is not None
    seen = {("bots", "bot-1"), ("bots", "bot-2"), ("bots", "bot-3")}
    assert taken.jobs.keys() == seen
    assert taken.pods.keys() == seen


async def test_what_is_not_there_is_asked_for_and_stays_missing() -> None:
    taken = await take(a_cluster(), ("bots",), [a_live_bot(9)])
    assert taken is not None
    assert ("bots", "bot-9") not in taken.jobs


async def test_a_job_that_cannot_be_asked_for_makes_the_whole_picture_unknown() -> None:
    kube = a_cluster()
    kube.fail("get_job", KubernetesUnavailable())
    assert await take(kube, ("bots",), [a_live_bot(3)]) is None


async def test_a_request_that_shows_the_end_is_seen_only_where_the_row_lives_on() -> None:
    kube = FakeKube()
    for name, phase in (("over", "completed"), ("lost", "failed"), ("runs", "active"), ("odd", "completed")):
        kube.apply(a_botrequest(name, uid=name))
        kube.status(name)["phase"] = phase
    odd = replace(a_live_bot(1), request_name="odd", request_uid="odd", job_created_at=None)
    gone = replace(odd, request_name="gone", request_uid="gone")
    taken = await take(kube, ("bots",), [odd, gone])
    assert taken is not None
    assert taken.request_uids == {"runs", "odd"}


async def test_a_request_that_cannot_be_asked_for_makes_the_whole_picture_unknown() -> None:
    kube = a_cluster()
    kube.fail("get_request", KubernetesUnavailable())
    assert await take(kube, ("bots",), [replace(a_live_bot(1), request_name="r", request_uid="u")]) is None


async def test_jobs_of_namespaces_that_are_not_served_are_not_asked_for() -> None:
    kube = a_cluster()
    kube.fail("get_job", KubernetesUnavailable())
    assert await take(kube, ("elsewhere",), [a_live_bot(3)]) is not None
