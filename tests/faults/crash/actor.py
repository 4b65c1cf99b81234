"""The people, the bots and the kubelet around a control plane that may die at any write.

They do what they do in real life: a person repeats a request that got no answer, with the same key; a bot repeats a
callback, with the same event id; a kubelet tells how a container ended. Whatever is under way when the process dies is
done again on the next one.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp

from tests.faults.crash.fault_injector import FaultInjector
from tests.faults.crash.site import Installation, Site
from tests.faults.harness import checkers
from tests.faults.harness.api import JOBS, MERGE, PODS, REQUESTS, Json
from tests.integration.operator.webhooks.receiver import Receiver
from tests.load.botswarm import Identity
from usher_models.db import api_tokens, users
from usher_models.db.engine import Database
from usher_operator.reconcile.snapshot import JOB_NAME_LABEL

Result = TypeVar("Result")

PATIENCE_S = 30.0
PAUSE_S = 0.05
DIES_WITHIN_S = 1.0
CALLBACKS = "/bots/internal/callback"

_numbers = itertools.count(1)


class NotQuiet(Exception):
    """The system did not come to rest in time; the message lists what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user and the key to the REST API."""

    id: int
    key: str


class Actor:
    """Plays one life on one installation. `truth` is a database that no switch guards."""

    def __init__(
        self,
        installation: Installation,
        fault_injector: FaultInjector,
        *,
        truth: Database,
        session: aiohttp.ClientSession,
    ) -> None:
        self.installation = installation
        self.fault_injector = fault_injector
        self.truth = truth
        self.session = session
        self.site = Site(installation, fault_injector)
        self.struck_at: float | None = None
        self.deaths = 0
        self.receiver = Receiver()

    async def begin(self) -> None:
        """Start the first process."""
        await self.receiver.__aenter__()
        await self.site.open()

    async def end(self) -> None:
        """Leave nothing of this life behind, for the next one on the same installation."""
        await self.site.close()
        await self.receiver.__aexit__()
        api, namespace = self.installation.api, self.installation.namespace
        for request in await api.items(REQUESTS.format(namespace)):
            await api.persist("DELETE", f"{REQUESTS.format(namespace)}/{request['metadata']['name']}")
        for job in await api.items(JOBS.format(namespace)):
            path = f"{JOBS.format(namespace)}/{job['metadata']['name']}"
            await api.persist("DELETE", path, propagationPolicy="Background")

    async def step(self, act: Callable[[Site], Awaitable[Result]]) -> Result:
        """Do something that lasts; when the process dies meanwhile, do it again on the next one."""
        while True:
            result = await self._survive(act)
            if self.fault_injector.struck and self.struck_at is None:
                self.struck_at = time.monotonic()
            if self.fault_injector.died.is_set():
                await self._restart()
                if result is None:
                    continue
            if self.fault_injector.again:
                self.fault_injector.again = False
                continue
            assert result is not None
            return result[0]

    async def _survive(self, act: Callable[[Site], Awaitable[Result]]) -> tuple[Result] | None:
        task = asyncio.ensure_future(act(self.site))
        death = asyncio.ensure_future(self.fault_injector.died.wait())
        try:
            await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
            cut_off = not task.done() or (self.fault_injector.died.is_set() and task.exception() is not None)
            return None if cut_off else (task.result(),)
        finally:
            death.cancel()
            # More than once if need be: Redis' client waits with asyncio.wait_for, which before Python 3.12 swallows a
            # cancellation that comes together with the answer. Nothing that is dead goes on by itself.
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=DIES_WITHIN_S)
            if not task.cancelled():
                task.exception()  # what it died of is nobody's business

    async def _restart(self) -> None:
        self.deaths += 1
        await self.site.close()
        self.fault_injector.restarted()
        self.site = Site(self.installation, self.fault_injector)
        await self.site.open()

    # What people do.

    async def a_person(self) -> Person:
        """A user with room for two bots, and a key."""
        async with self.truth.transaction() as connection:
            address = f"person-{uuid4().hex[:12]}@example.com"
            user_id = await users.add_user(connection, address, max_concurrent_bots=2)
            _, key = await api_tokens.create_token(connection, user_id)
        return Person(id=user_id, key=key)

    async def apply(self, **spec: Any) -> str:
        """Apply a BotRequest; its name."""
        name = f"life-{next(_numbers)}"
        body = {
            "apiVersion": "usher.dev/v1alpha1",
            "kind": "BotRequest",
            "metadata": {"name": name},
            "spec": {"platform": "jitsi", "nativeMeetingId": name, **spec},
        }
        await self.installation.api.make(REQUESTS.format(self.installation.namespace), body)
        return name

    async def change(self, name: str, **spec: Any) -> None:
        """Change a BotRequest's spec."""
        path = f"{REQUESTS.format(self.installation.namespace)}/{name}"
        status, answer = await self.installation.api.persist("PATCH", path, {"spec": spec}, kind=MERGE)
        assert status == 200, answer

    async def delete(self, name: str) -> None:
        """Delete a BotRequest."""
        await self.installation.api.persist("DELETE", f"{REQUESTS.format(self.installation.namespace)}/{name}")

    async def ask(self, person: Person, method: str, path: str, body: Json | None = None) -> Json:
        """Call the REST API until it answers; a repeat says the same."""
        headers = {"X-API-Key": person.key, "Idempotency-Key": uuid4().hex}

        async def send(site: Site) -> Json:
            async with self.session.request(method, site.api_url + path, json=body, headers=headers) as response:
                answer: Json = await response.json()
                if response.status >= 500:
                    raise aiohttp.ClientError(str(answer))
                assert response.status < 400, answer
                return answer

        return await self.step(lambda site: self._insist(lambda: send(site)))

    async def _insist(self, send: Callable[[], Awaitable[Result]]) -> Result:
        while True:
            try:
                return await send()
            except (aiohttp.ClientError, TimeoutError, OSError):
                if self.fault_injector.died.is_set():
                    raise
                await asyncio.sleep(PAUSE_S)

    async def give_webhook(self, person: Person) -> None:
        """Let each change of status be told to this life's receiver."""
        data = {"webhook_url": self.receiver.url, "webhook_events": ["meeting.status_change", "meeting.completed"]}
        async with self.truth.transaction() as connection:
            await users.change_user(connection, person.id, data=data)

    async def all_told(self) -> None:
        """Let it send until nothing waits; each change must have been told, with the same words each time."""

        async def probe() -> bool | None:
            async with self.truth.transaction() as connection:
                pending = "UPDATE usher.webhook_deliveries SET next_attempt_at = now() WHERE state <> 'delivered'"
                return None if (await connection.exec_driver_sql(pending)).rowcount else True

        await self.until("all webhooks delivered", probe)
        async with self.truth.transaction() as connection:
            rows = await connection.exec_driver_sql("SELECT seq FROM usher.transitions")
            happened = {("meeting.status_change", row.seq) for row in rows}
        events = {received.event["event_id"]: received for received in self.receiver.taken}
        told = {(each.event["event_type"], each.event["data"]["status_change"]["sequence"]) for each in events.values()}
        assert told == happened | {("meeting.completed", max(seq for _, seq in happened))}
        assert all(received.body == events[received.event["event_id"]].body for received in self.receiver.taken)

    # What time does.

    async def settle(self) -> None:
        """Let the control plane look once."""
        await self.step(lambda site: site.look())

    async def until(self, what: str, probe: Callable[[], Awaitable[Result | None]]) -> Result:
        """Let it look until something is so."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            await self.settle()
            found = await probe()
            if found is not None:
                return found
            await asyncio.sleep(PAUSE_S)
        raise NotQuiet(f"{what} in vain after {PATIENCE_S:g} s")

    async def let_pass(self, seconds: float) -> None:
        """Let time pass for every live row, as far as the database's clock is concerned."""
        async with self.truth.transaction() as connection:
            await connection.exec_driver_sql(
                "UPDATE usher.heartbeats SET at = at - make_interval(secs => %s)", (seconds,)
            )
            await connection.exec_driver_sql(
                "UPDATE usher.bots SET reserved_at = reserved_at - make_interval(secs => %(s)s),"
                " job_created_at = job_created_at - make_interval(secs => %(s)s),"
                " started_at = started_at - make_interval(secs => %(s)s),"
                " leave_requested_at = leave_requested_at - make_interval(secs => %(s)s),"
                " status_changed_at = status_changed_at - make_interval(secs => %(s)s) WHERE ended_at IS NULL",
                {"s": seconds},
            )

    async def the_row(self, **wanted: Any) -> dict[str, Any]:
        """The row of this life, once it is as wanted."""

        async def probe() -> dict[str, Any] | None:
            found = await checkers.rows(self.truth)
            return next((row for row in found if all(row[key] == value for key, value in wanted.items())), None)

        return await self.until(f"a row with {wanted}", probe)

    async def the_bot(self, **wanted: Any) -> "Bot":
        """The bot of a row, once its pod is there."""
        row = await self.the_row(**wanted)

        async def probe() -> Json | None:
            selector = f"batch.kubernetes.io/job-name={row['job_name']}"
            pods = await self.installation.api.items(PODS.format(self.installation.namespace), labelSelector=selector)
            return pods[0] if pods else None

        return Bot(self, str(row["connection_id"]), await self.until("a pod", probe))

    async def quiet(self, *, status: str, reasons: set[str]) -> None:
        """Let it look until nothing is wrong any more; the row must have ended as it shall."""
        fleet = checkers.Fleet(database=self.truth, api=self.installation.api, namespace=self.installation.namespace)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            await self.settle()
            findings = await checkers.quiet(fleet) or await self.site.users.findings()
            if not findings or time.monotonic() > deadline:
                break
            await asyncio.sleep(PAUSE_S)
        findings += [
            f"the row ended as {row['status']} ({row['reason']})"
            for row in await checkers.rows(self.truth)
            if row["status"] != status or row["reason"] not in reasons
        ]
        if findings:
            raise NotQuiet("; ".join(findings))


class Bot:
    """A bot's mouth and its pod."""

    def __init__(self, actor: Actor, connection_id: str, pod: Json) -> None:
        self._actor = actor
        self._connection_id = connection_id
        self._pod = pod
        metadata = pod["metadata"]
        identity = Identity(
            connection_id=connection_id,
            namespace=metadata["namespace"],
            job_name=metadata["labels"][JOB_NAME_LABEL],
            pod_name=metadata["name"],
            pod_uid=metadata["uid"],
        )
        self._token = actor.installation.signer.token(identity).text

    async def says(self, name: str, **fields: Any) -> Json:
        """A callback, repeated until it is answered."""
        body = {"connection_id": self._connection_id, "event_id": str(uuid4()), **fields}
        headers = {"Authorization": f"Bearer {self._token}"}

        async def send(site: Site) -> Json:
            url = f"{site.callbacks_url}{CALLBACKS}/{name}"
            async with self._actor.session.post(url, json=body, headers=headers) as response:
                answer: Json = await response.json()
                if response.status >= 500:
                    raise aiohttp.ClientError(str(answer))
                return answer | {"http": response.status}

        return await self._actor.step(lambda site: self._actor._insist(lambda: send(site)))

    async def is_told(self, action: str) -> Json:
        """Beat until a reply carries a command."""

        async def probe() -> Json | None:
            answer = await self.says("heartbeat", status="active")
            return next((one for one in answer.get("commands", []) if one["action"] == action), None)

        return await self._actor.until(f"told to {action}", probe)

    async def ends(self, exit_code: int) -> None:
        """Its container ends, and the kubelet says so."""
        metadata = self._pod["metadata"]
        terminated = {"exitCode": exit_code, "reason": "Completed" if exit_code == 0 else "Error"}
        status = {
            "phase": "Succeeded" if exit_code == 0 else "Failed",
            "containerStatuses": [
                {
                    "name": "bot",
                    "image": "bot",
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": {"terminated": terminated},
                }
            ],
        }
        path = f"{PODS.format(metadata['namespace'])}/{metadata['name']}/status"
        await self._actor.installation.api.persist("PATCH", path, {"status": status}, kind=MERGE)

    async def leaves(self, exit_code: int = 0) -> None:
        """It says goodbye and ends."""
        await self.says("status", status="stopping")
        await self._actor.settle()
        await self.says("exited", exit_code=exit_code)
        await self.ends(exit_code)
