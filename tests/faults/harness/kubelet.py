"""A node that is none: it runs every pod of a namespace as a bot of a swarm, and tells the API server how each ended.

The scheduler, the Job controller and the garbage collector are the real ones; what a kubelet does is done here: a pod
that was placed begins to run, SIGTERM comes with its deletion and SIGKILL after its grace, its end has an exit code.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from tests.faults.harness.api import MERGE, PODS, STRATEGIC, Api, Json
from tests.faults.harness.beside import beside
from tests.load.botswarm import Identity, Script, Swarm
from tests.load.botswarm.bot import Bot
from usher_operator.kube.job import CONNECTION_ANNOTATION, CONTAINER, MEETING_LABEL
from usher_operator.reconcile.snapshot import JOB_NAME_LABEL

NODES = "/api/v1/nodes"
NODE = "harness"
HEARTBEAT_S = 10.0
SIGKILLED = 137
ROOM = {"cpu": "100k", "memory": "100Ti", "pods": "1M", "ephemeral-storage": "100Ti"}


@asynccontextmanager
async def a_node(api: Api) -> AsyncIterator[None]:
    """A node on which there is room for everything, for as long as the context lasts."""
    await api.make(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
    try:
        async with beside(heartbeat_of_the_node=_beat(api)):
            yield
    finally:
        await remove_node(api)


async def remove_node(api: Api) -> None:
    """Remove the node, also one that a killed run left: the scheduler would go on putting pods there."""
    await api.persist("DELETE", f"{NODES}/{NODE}")


async def _beat(api: Api) -> None:
    while True:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {"type": "Ready", "status": "True", "reason": "Rig", "message": "", "lastHeartbeatTime": now}
        status = {"capacity": ROOM, "allocatable": ROOM, "conditions": [ready | {"lastTransitionTime": now}]}
        await api.persist("PATCH", f"{NODES}/{NODE}/status", {"status": status}, kind=STRATEGIC)
        await asyncio.sleep(HEARTBEAT_S)


class Kubelet:
    """The pods of one namespace. `script_of` says by a meeting's native id what its bot will live through."""

    def __init__(self, api: Api, *, namespace: str, script_of: Callable[[str], Script]) -> None:
        self._api = api
        self._namespace = namespace
        self._script_of = script_of
        self._swarm: Swarm | None = None
        self._pods: dict[str, Json] = {}
        self._over: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._stopping: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: list[Exception] = []
        self.native_ids: dict[str, str] = {}
        """Native meeting ids by connection id."""

    @asynccontextmanager
    async def running(self, swarm: Swarm) -> AsyncIterator[None]:
        """Run pods as bots of that swarm, whose `on_event` must call `told`."""
        self._swarm = swarm
        try:
            async with beside(watch_of_the_kubelet=self._watch()):
                yield
        finally:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._broken:
            raise ExceptionGroup("The kubelet broke.", self._broken)

    def told(self, bot: Bot, event: str) -> None:
        """Something happened to a bot; its end is its container's."""
        if not event.startswith("ended "):
            return
        uid = bot.identity.pod_uid
        self._over[uid].set()
        if uid in self._pods:
            self._begin(self._say_ended(self._pods[uid], _exit_code(event)))

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(exc := task.exception(), Exception):
            self._broken.append(exc)

    async def _watch(self) -> None:
        async for event in self._api.watch(PODS.format(self._namespace)):
            self._see(event["object"], gone=event["type"] == "DELETED")

    def _see(self, pod: Json, *, gone: bool) -> None:
        uid = pod["metadata"]["uid"]
        if gone and self._swarm is not None:
            self._kill(uid)
        elif "deletionTimestamp" in pod["metadata"]:
            if uid not in self._stopping:
                self._stopping.add(uid)
                self._begin(self._stop(pod))
        elif uid not in self._pods and pod["spec"].get("nodeName") and _phase(pod) == "Pending":
            self._pods[uid] = pod
            self._begin(self._run(pod))

    async def _run(self, pod: Json) -> None:
        state = {"running": {"startedAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}}
        await self._patch(pod, phase="Running", state=state)
        if self._swarm is not None and pod["metadata"]["uid"] not in self._stopping:
            identity = _identity(pod)
            native_id = _environment(pod)["USHER_NATIVE_MEETING_ID"]
            self.native_ids[identity.connection_id] = native_id
            self._swarm.add(identity, self._script_of(native_id))

    async def _stop(self, pod: Json) -> None:
        """SIGTERM, SIGKILL after the grace, and then the pod is gone."""
        uid = pod["metadata"]["uid"]
        if self._bot(uid) is not None and self._swarm is not None:
            self._swarm.terminate(_connection_id(pod))
            try:
                async with asyncio.timeout(float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)):
                    await self._over[uid].wait()
            except TimeoutError:
                self._kill(uid)
        path = f"{PODS.format(self._namespace)}/{pod['metadata']['name']}"
        precondition = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        await self._api.persist("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", **precondition})

    def _bot(self, uid: str) -> Bot | None:
        """The living bot of a pod."""
        if self._swarm is None or uid not in self._pods:
            return None
        bot = self._swarm.bots.get(_connection_id(self._pods[uid]))
        return bot if bot is not None and bot.alive and bot.identity.pod_uid == uid else None

    def _kill(self, uid: str) -> None:
        if self._swarm is not None and (bot := self._bot(uid)) is not None:
            self._swarm.kill(bot.identity.connection_id)

    async def _say_ended(self, pod: Json, code: int) -> None:
        terminated = {"exitCode": code, "reason": "Completed" if code == 0 else "Error"}
        await self._patch(pod, phase="Failed" if code else "Succeeded", state={"terminated": terminated})

    async def _patch(self, pod: Json, *, phase: str, state: Json) -> None:
        container = {"name": CONTAINER, "image": "bot", "imageID": "", "ready": False, "restartCount": 0}
        status = {"phase": phase, "containerStatuses": [container | {"state": state}]}
        path = f"{PODS.format(self._namespace)}/{pod['metadata']['name']}/status"
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
        await self._api.persist("PATCH", path, body, kind=MERGE)


def _identity(pod: Json) -> Identity:
    metadata = pod["metadata"]
    return Identity(
        connection_id=_connection_id(pod),
        namespace=metadata["namespace"],
        job_name=metadata["labels"][JOB_NAME_LABEL],
        meeting_id=int(metadata["labels"][MEETING_LABEL]),
        pod_uid=metadata["uid"],
        pod_name=metadata["name"],
    )


def _connection_id(pod: Json) -> str:
    return str((pod["metadata"].get("annotations") or {}).get(CONNECTION_ANNOTATION, ""))


def _environment(pod: Json) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in pod["spec"]["containers"][0]["env"]}


def _phase(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def _exit_code(event: str) -> int:
    """How a process ends that ended so; one that was dismissed or gave up ends in peace."""
    how = event.removeprefix("ended ")
    if how.startswith("exit code "):
        return int(how.removeprefix("exit code "))
    return SIGKILLED if how == "killed" else 0
