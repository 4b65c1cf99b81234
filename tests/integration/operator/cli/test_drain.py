"""`usher drain`: nothing new starts, everything that runs is withdrawn, and it waits until the last row is closed."""

from tests.fakes.kube import FakeKube
from tests.fakes.objects import FAILED_BY_POLICY, a_botrequest, a_job, a_pod, terminated
from tests.scenario import Scenario
from usher_models.db.engine import Database
from usher_models.errors import KubernetesUnavailable
from usher_operator.cli.drain import Drain

NAMESPACE = "bots"


class Time:
    """A clock that a drain's waits move, and what happens at each of them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.then: list[str] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def drain_of(database: Database, kube: FakeKube, said: list[str]) -> Drain:
    return Drain(database=database, kube=kube, namespaces=(NAMESPACE,), say=said.append)


async def test_an_empty_installation_is_drained_at_once(database: Database, kube: FakeKube) -> None:
    said: list[str] = []
    time = Time()
    done = await drain_of(database, kube, said).run(revoking=("start",), timeout_s=10, clock=time, sleep=time.sleep)
    assert done
    assert (said, time.now) == (["Nothing is left."], 0)
    assert kube.revoked == {(NAMESPACE, "start")}


async def test_it_waits_until_the_last_row_is_closed(given: Scenario, kube: FakeKube) -> None:
    bot = await given.a_bot(request_namespace=NAMESPACE).starting().active()
    elsewhere = await given.a_bot(request_namespace="elsewhere").starting().active()
    kube.apply(a_botrequest(namespace=NAMESPACE, name=bot.request_name or ""))
    said: list[str] = []
    time = Time()

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds)
        if time.now >= 6:
            await given.ends(bot)

    assert await drain_of(given.database, kube, said).run(revoking=(), timeout_s=60, clock=time, sleep=sleep)
    assert said == [
        "1 BotRequests, 0 Jobs, 0 pods and 1 live meetings are left.",
        "0 BotRequests, 0 Jobs, 0 pods and 1 live meetings are left.",
        "Nothing is left.",
    ]
    assert kube.requests == {}
    assert (await given.fresh(elsewhere)).live


async def test_it_ends_when_time_is_up(given: Scenario, kube: FakeKube) -> None:
    await given.a_bot(request_namespace=NAMESPACE).starting()
    said: list[str] = []
    time = Time()
    drain = drain_of(given.database, kube, said)
    assert not await drain.run(revoking=(), timeout_s=20, clock=time, sleep=time.sleep)
    assert 18 <= time.now <= 20


async def test_an_api_server_that_is_away_is_asked_again(database: Database, kube: FakeKube) -> None:
    kube.fail("revoke", KubernetesUnavailable("It is away."))
    said: list[str] = []
    time = Time()
    done = await drain_of(database, kube, said).run(revoking=("start",), timeout_s=10, clock=time, sleep=time.sleep)
    assert done
    assert said == ["Trying again: It is away.", "Nothing is left."]


async def test_what_has_ended_is_left_to_its_owners_and_its_ttl(database: Database, kube: FakeKube) -> None:
    for phase in ("completed", "failed"):
        kube.apply(a_botrequest(phase, namespace=NAMESPACE))
        kube.status(phase, NAMESPACE)["phase"] = phase
    kube.apply(a_botrequest("live", namespace=NAMESPACE))
    kube.jobs[NAMESPACE, "bot-1"] = a_job(1, condition=FAILED_BY_POLICY)
    kube.pods[NAMESPACE, "bot-1"] = a_pod("bot-1", state=terminated(1), phase="Failed")
    said: list[str] = []
    time = Time()
    assert await drain_of(database, kube, said).run(revoking=(), timeout_s=10, clock=time, sleep=time.sleep)
    assert {name for _, name in kube.requests} == {"completed", "failed"}
    assert list(kube.jobs) == [(NAMESPACE, "bot-1")]
