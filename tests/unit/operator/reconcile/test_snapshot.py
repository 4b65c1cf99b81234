"""What a sweep sees: everything that matters, and of what succeeded only what a live row still stands for."""

from dataclasses import replace

from tests.fakes.bots import a_bot_row
from tests.fakes.kube import FakeKube
from tests.fakes.objects import COMPLETE, FAILED_BY_POLICY, a_botrequest, a_job, a_pod, running, terminated
from usher_models.db.bots import Bot
from usher_models.errors import KubernetesUnavailable
from usher_operator.reconcile.snapshot import take

OURS = "installation-1"


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
    taken = await take(a_cluster(), ("bots",), [a_live_bot(1), a_live_bot(3)], installation=OURS)
    seen = {("bots", "bot-1"), ("bots", "bot-2"), ("bots", "bot-3")}
    assert taken.jobs.keys() == seen
    assert taken.pods.keys() == seen


async def test_what_is_not_there_is_asked_for_and_stays_missing() -> None:
    taken = await take(a_cluster(), ("bots",), [a_live_bot(9)], installation=OURS)
    assert ("bots", "bot-9") not in taken.jobs


async def test_a_bot_whose_job_cannot_be_asked_for_is_unknown_and_the_others_are_not() -> None:
    kube = a_cluster()
    kube.fail("get_job", KubernetesUnavailable())
    taken = await take(kube, ("bots",), [a_live_bot(3), a_live_bot(1)], installation=OURS)
    assert (taken.covers(a_live_bot(3)), taken.covers(a_live_bot(1))) == (False, True)


async def test_a_request_that_shows_the_end_is_seen_only_where_the_row_lives_on() -> None:
    kube = FakeKube()
    for name, phase in (("over", "completed"), ("lost", "failed"), ("runs", "active"), ("odd", "completed")):
        kube.apply(a_botrequest(name, uid=name))
        kube.status(name)["phase"] = phase
    odd = replace(a_live_bot(1), request_name="odd", request_uid="odd", job_created_at=None)
    gone = replace(odd, request_name="gone", request_uid="gone")
    taken = await take(kube, ("bots",), [odd, gone], installation=OURS)
    assert taken.request_uids == {"runs", "odd"}


async def test_a_bot_whose_request_was_never_seen_lacks_none() -> None:
    kube = a_cluster()
    kube.fail("get_request", KubernetesUnavailable())
    bot = replace(a_live_bot(1), request_name="r", request_uid=None)
    assert (await take(kube, ("bots",), [bot], installation=OURS)).covers(bot)


async def test_a_bot_whose_request_cannot_be_asked_for_is_unknown() -> None:
    kube = a_cluster()
    kube.fail("get_request", KubernetesUnavailable())
    bot = replace(a_live_bot(1), request_name="r", request_uid="u")
    assert not (await take(kube, ("bots",), [bot], installation=OURS)).covers(bot)


async def test_jobs_of_namespaces_that_are_not_served_are_not_asked_for() -> None:
    kube = a_cluster()
    kube.fail("get_job", KubernetesUnavailable())
    taken = await take(kube, ("elsewhere",), [a_live_bot(3)], installation=OURS)
    assert taken.namespaces == {"elsewhere"}
    assert not taken.covers(a_live_bot(3))


async def test_a_namespace_that_cannot_be_listed_takes_nothing_from_the_others() -> None:
    kube = a_cluster()
    kube.forbidden.add("gone")
    taken = await take(kube, ("gone", "bots"), [a_live_bot(1)], installation=OURS)
    assert taken.namespaces == {"bots"}
    assert taken.covers(a_live_bot(1))
    assert not taken.covers(replace(a_live_bot(1), request_namespace="gone"))


async def test_what_another_installation_owns_is_not_seen() -> None:
    kube = a_cluster()
    for objects in (kube.jobs, kube.pods):
        objects["bots", "bot-1"]["metadata"]["labels"]["usher.dev/installation"] = "installation-2"
        objects["bots", "bot-2"]["metadata"]["labels"]["usher.dev/installation"] = OURS
    taken = await take(kube, ("bots",), [a_live_bot(1)], installation=OURS)
    assert taken.jobs.keys() == taken.pods.keys() == {("bots", "bot-2")}
