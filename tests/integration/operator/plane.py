"""The parts of `usher operate` wired as in production, and a bot's counterpart in Kubernetes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.clock import FakeClock
from tests.fakes.epoch import EPOCH, an_epoch
from tests.fakes.kube import FakeKube
from tests.fakes.objects import a_botrequest, running
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import INSTALLATION
from tests.scenario import Scenario, User, a_meeting, pod_of
from usher_models.db import bots
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.leader_lock import UNFENCED, Fence, LeaderLock
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job import build_job
from usher_operator.lifecycle.allowed_spec import AllowedSpec
from usher_operator.lifecycle.close import Closer, Ends
from usher_operator.lifecycle.commands import Commander
from usher_operator.lifecycle.create_request import RequestCreator
from usher_operator.lifecycle.ensure import Ensurer
from usher_operator.lifecycle.evidence.collector import EvidenceCollector
from usher_operator.lifecycle.finished_job import FinishedJob
from usher_operator.lifecycle.hold import Hold
from usher_operator.processes.operate import job_settings
from usher_operator.reconcile.epoch.installation import settle_installation
from usher_operator.reconcile.epoch.store import EpochStore
from usher_operator.reconcile.reconciler import Reconciler
from usher_operator.reconcile.sweep import Acts, Memory
from usher_operator.redis_acl.users import NoUsers
from usher_operator.settings import Settings
from usher_operator.watch.in_flight import InFlight
from usher_operator.watch.status_writer import StatusWriter

Json = dict[str, Any]


@dataclass(kw_only=True)
class Plane:
    """One `usher operate`."""

    given: Scenario
    kube: FakeKube
    publisher: RecordingPublisher
    clock: FakeClock
    settings: Settings
    installation: str = INSTALLATION
    fence: Fence = UNFENCED
    """Of what follows from the watch."""
    database: Database = field(init=False)
    hold: Hold = field(init=False)
    in_flight: InFlight = field(default_factory=InFlight)
    _reconcilers: list[Reconciler] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.use(self.given.database)

    def use(self, database: Database) -> None:
        """Wire everything to `database`."""
        self.database = database
        self.hold = Hold()
        self.commander = Commander(database, self.publisher)
        self.evidence = EvidenceCollector(
            database=database,
            kube=self.kube,
            fence=UNFENCED,
            settings=self.settings,
            now=self.clock.now,
            clock=self.clock,
        )
        self.closer = Closer(ends=Ends(database, fence=UNFENCED), kube=self.kube, evidence=self.evidence)
        self.finished_job = FinishedJob(database=database, kube=self.kube, closer=self.closer)
        self.ensurer = Ensurer(
            database=database,
            kube=self.kube,
            commander=self.commander,
            redis_users=NoUsers(),
            job_settings=job_settings(self.settings, installation=INSTALLATION),
            allowed=AllowedSpec(self.settings),
            hold=self.hold,
            now=self.clock.now,
            fence=self.fence,
        )
        self.status_writer = StatusWriter(
            database=database,
            kube=self.kube,
            delay_s=self.settings.status_write_delay_s,
            installation=INSTALLATION,
            now=self.clock.now,
            has_backlog=lambda: self.in_flight.has_backlog,
        )
        self.reconciler = self.a_reconciler()

    async def restart(self) -> None:
        """Start as a process does: it remembers nothing, and asks first which installation it is."""
        await self.close()
        store = EpochStore(kube=self.kube, namespace=EPOCH[0], name=EPOCH[1])
        assert await settle_installation(self.database, store) == INSTALLATION
        self.use(self.database)

    def a_reconciler(self, *, clock: Callable[[], float] | None = None) -> Reconciler:
        """One more reconciler, as after a restart and the beat for which a new leader waits."""
        time = clock or self.clock
        memory = Memory.empty(settings=self.settings, kube=self.kube, clock=time)
        memory.brownout.leading_since = float("-inf")
        self._reconcilers.append(
            Reconciler(
                settings=self.settings,
                database=self.database,
                kube=self.kube,
                acts=Acts(
                    commander=self.commander,
                    ensurer=self.ensurer,
                    closer=self.closer,
                    request_creator=RequestCreator(database=self.database, kube=self.kube),
                ),
                memory=memory,
                epoch=an_epoch(self.database, settings=self.settings, kube=self.kube, hold=self.hold, clock=time),
                lock=LeaderLock(self.database, lease_s=self.settings.leader_lease_s),
                in_flight=self.in_flight,
                installation=INSTALLATION,
                clock=time,
            )
        )
        return self._reconcilers[-1]

    async def close(self) -> None:
        """Let go of the lock, as a process does when it ends."""
        for reconciler in self._reconcilers:
            await reconciler._lock.release()

    async def tick(self, *, after: float = 0) -> None:
        """Let `after` seconds pass on the reconciler's clock, then sweep once; the sweep must have been done."""
        self.clock.advance(after)
        assert await self.reconciler.tick()

    async def ensure(self, body: Json) -> None:
        """Handle a BotRequest as it stands in Kubernetes now."""
        key = (body["metadata"]["namespace"], body["metadata"]["name"])
        await self.ensurer.ensure(BotRequest.from_object(self.kube.requests[key]))

    async def bot_of(self, body: Json) -> Bot | None:
        """The bot that a BotRequest got."""
        meeting_id = await self.given.scalar(
            "SELECT meeting_id FROM usher.bots WHERE connection_id = :id",
            id=BotRequest.from_object(body).connection_id,
        )
        if meeting_id is None:
            return None
        async with self.database.transaction() as connection:
            return await bots.bot_by_id(connection, meeting_id)

    def a_request_of(self, user: User, name: str = "standup", **fields: Any) -> Json:
        """A BotRequest of that user in Kubernetes, for a meeting of its own unless `fields` name one."""
        meeting = a_meeting()
        spec: Json = {"userId": user.id, "platform": str(meeting.platform), "nativeMeetingId": meeting.native_id}
        return self.kube.apply(a_botrequest(name, **spec | fields))

    def in_kubernetes(self, bot: Bot, *, pod: Json | None = None) -> Bot:
        """Make a bot's BotRequest, Job and running pod, as they are when all is well."""
        assert bot.request_name is not None
        assert bot.request_namespace is not None
        self.kube.apply(
            a_botrequest(
                bot.request_name,
                namespace=bot.request_namespace,
                uid=bot.request_uid,
                generation=bot.request_generation,
                connectionId=bot.connection_id,
                platform=bot.platform,
                nativeMeetingId=bot.native_id,
            )
        )
        job = build_job(bot, job_settings(self.settings, installation=INSTALLATION))
        job["metadata"] |= {"namespace": bot.request_namespace, "uid": f"job-uid-of-{bot.job_name}"}
        self.kube.jobs[bot.request_namespace, bot.job_name] = job
        self.kube.run_pod(
            bot.job_name,
            bot.request_namespace,
            **{"uid": bot.pod_uid or pod_of(bot.connection_id), "state": running()} | (pod or {}),
        )
        return bot
