"""What the end-to-end tests say: a user, a bot of theirs, and what becomes of it. Everything here is real.

    user = cluster.a_user(cap=1)
    bot = cluster.a_bot(user).lobby(1).behaving("Crash", after=2, exit_code=42).apply()
    bot.wait_for("Joined")
    assert bot.ended().reason == "ExitCode42"
    assert [step.target for step in bot.story()] == ["reserved", "starting", "active", "failed"]

Two windows show what is: kubectl, which is what a person sees, and `rows`, the database, which is what is true. A wait
that ends in vain says what there was instead: the BotRequest, its pods, the bot's words and the operator's.
"""

import base64
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from subprocess import Popen
from typing import Any, Self

from dev.demo.kubectl import SYSTEM, Kubectl
from dev.machine.commands import attempt

LABEL = "usher.dev/made-by"
RUN_LABEL = "usher.dev/run"
POLL_S = 0.3
# On a machine that does other work too, a pod takes its time to come up; this is no promise of Usher's.
SOON_S = 90.0

# What pytest's fixture `record_property` is.
Record = Callable[[str, object], None]


@dataclass(frozen=True, kw_only=True)
class User:
    """A user with a limit."""

    id: int
    email: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line of a meeting's story, as `usher why --json` tells it."""

    seq: int
    origin: str | None
    target: str
    source: str
    reason: str
    fault: str | None
    detail: dict[str, Any]
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a BotRequest says that it ended."""

    phase: str
    reason: str
    message: str


def eventually[Found](what: str, probe: Callable[[], Found | None], *, within: float = SOON_S) -> Found:
    """The first true answer of `probe`. Raises AssertionError when none came in time."""
    deadline = time.monotonic() + within
    while not (found := probe()):
        assert time.monotonic() < deadline, f"Waited {within:g} s in vain for {what}."
        time.sleep(POLL_S)
    return found


class Bot:
    """A BotRequest that was applied."""

    def __init__(self, cluster: "Cluster", body: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.name = str(body["metadata"]["name"])
        self.uid = str(body["metadata"]["uid"])
        # Its meeting's id on the platform, where the spec says it.
        self.native_id = str(body["spec"].get("nativeMeetingId", ""))
        self._kubectl = cluster.kubectl

    def __repr__(self) -> str:
        return f"<br/{self.name}>"

    # What a person does.

    def edit(self, **spec: Any) -> None:
        """Change the spec."""
        self._kubectl("patch", "br", self.name, "--type", "merge", "--patch", json.dumps({"spec": spec}))

    def refusal_of_edit(self, **spec: Any) -> str:
        """What the API server says against a change of the spec."""
        patch = json.dumps({"spec": spec})
        done = self._kubectl.attempt("patch", "br", self.name, "--type", "merge", "--patch", patch)
        assert done.returncode != 0, f"The API server accepted {patch}."
        return done.stderr

    def ask_to_leave(self) -> None:
        """Ask the bot to leave, as a person does."""
        self.edit(desiredState="Left")

    def delete(self) -> float:
        """`kubectl delete`; how many seconds it took to return."""
        began = time.monotonic()
        self._kubectl("delete", "br", self.name, timeout_s=60)
        return time.monotonic() - began

    # What a person sees.

    def object(self) -> dict[str, Any]:
        """The BotRequest as it is."""
        found: dict[str, Any] = self._kubectl.json("get", "br", self.name)
        return found

    @property
    def status(self) -> dict[str, Any]:
        """Its status as it is."""
        return dict(self.object().get("status") or {})

    def conditions(self) -> dict[str, dict[str, Any]]:
        """Its conditions by their types."""
        return {condition["type"]: condition for condition in self.status.get("conditions") or []}

    def wait_for(self, condition: str, *, value: str = "True", within: float = SOON_S) -> Self:
        """Wait until a condition has that value."""
        self._wait(f"condition={condition}={value}", within)
        return self

    def wait_for_phase(self, phase: str, *, within: float = SOON_S) -> Self:
        """Wait until the status says so."""
        self._wait(f"jsonpath={{.status.phase}}={phase}", within)
        return self

    def wait_for_answer(self, *, within: float = SOON_S) -> Self:
        """Wait until the request is admitted or refused."""
        self._eventually("an answer", lambda: self.conditions().get("Accepted"), within=within)
        return self

    def ended(self, *, within: float = SOON_S) -> Ending:
        """Wait for the end; how it went."""
        self.wait_for("Finished", within=within)
        return self._ending()

    def refused(self, *, within: float = SOON_S) -> Ending:
        """Wait for the refusal; why."""
        self.wait_for_phase("refused", within=within)
        return self._ending()

    def events(self) -> list[dict[str, Any]]:
        """The Events about it."""
        items: list[dict[str, Any]] = self._kubectl.json("get", "events", "--field-selector", self._about())["items"]
        return items

    def jobs(self) -> list[dict[str, Any]]:
        """Its Jobs that there are, also after it is gone itself."""
        jobs: list[dict[str, Any]] = self._kubectl.json("get", "jobs")["items"]
        return [job for job in jobs if any(owner["uid"] == self.uid for owner in _owners(job))]

    def pods(self) -> list[dict[str, Any]]:
        """Its pods that there are, also after it is gone itself."""
        pods: list[dict[str, Any]] = self._kubectl.json("get", "pods")["items"]
        return [pod for pod in pods if _connection(pod) == self.uid]

    def wait_until_nothing_runs(self, *, within: float = SOON_S) -> None:
        """Wait until neither Job nor pod is left."""
        self._eventually("its Job and pod to be gone", lambda: not self.jobs() and not self.pods(), within=within)

    def words(self) -> list[dict[str, Any]]:
        """What the bot's process logged."""
        names = [pod["metadata"]["name"] for pod in self.pods()]
        return _parsed("".join(self._kubectl.attempt("logs", name, "--container", "bot").stdout for name in names))

    # What is true.

    def row(self) -> dict[str, Any]:
        """The meeting in the database; empty when there is none."""
        found = self.cluster.rows(
            "SELECT m.status, b.* FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id"
            f" WHERE b.connection_id = '{self.uid}'"
        )
        assert len(found) <= 1, f"{self} has {len(found)} rows."
        return found[0] if found else {}

    def wait_for_row(self, *, within: float = SOON_S, **columns: Any) -> dict[str, Any]:
        """Wait until the meeting in the database is so."""

        def matching() -> dict[str, Any] | None:
            row = self.row()
            return row if row and all(row[name] == value for name, value in columns.items()) else None

        return self._eventually(f"its row to have {columns}", matching, within=within)

    def story(self) -> list[Step]:
        """Every transition, by `usher why --json`."""
        lines = json.loads(self.cluster.kubectl.usher("why", str(self.row()["meeting_id"]), "--json"))
        return [
            Step(
                origin=line.pop("from_status"),
                target=line.pop("to_status"),
                **line | {"at": datetime.fromisoformat(line["at"])},
            )
            for line in lines
        ]

    def asked_to_leave_at(self) -> datetime:
        """When it was asked to leave, by the database's clock."""
        return datetime.fromisoformat(self.row()["leave_requested_at"])

    def moved_at(self, target: str) -> datetime:
        """When it became `target`, by the database's clock."""
        return next(step.at for step in self.story() if step.target == target)

    def _wait(self, what: str, within: float) -> None:
        done = self._kubectl.attempt("wait", f"--for={what}", f"br/{self.name}", f"--timeout={within:g}s")
        assert done.returncode == 0, f"{self} in vain: {done.stderr.strip()}\n{self.describe()}"

    def _eventually[Found](self, what: str, probe: Callable[[], Found | None], *, within: float) -> Found:
        try:
            return eventually(f"{self} and {what}", probe, within=within)
        except AssertionError as vain:
            raise AssertionError(f"{vain}\n{self.describe()}") from None

    def _ending(self) -> Ending:
        status = self.status
        return Ending(phase=status["phase"], reason=status["reason"], message=status["message"])

    def _about(self) -> str:
        return f"involvedObject.uid={self.uid}"

    def describe(self) -> str:
        """Everything there is to see of it, for the message of a failure."""
        words = [
            ("kubectl get br", self._kubectl.attempt("get", "br", self.name, "--output", "yaml").stdout),
            ("row", str(self.row())),
            ("pods", json.dumps([pod.get("status") for pod in self.pods()], indent=1)),
            ("bot", "\n".join(map(str, self.words()[-30:]))),
            ("operator", "\n".join(map(str, self.cluster.operator_words(lines=40)))),
        ]
        return "\n".join(f"--- {title}\n{text}" for title, text in words)


class BotBuilder:
    """A BotRequest before it is applied: a simulated bot that joins within seconds and stays for an hour."""

    def __init__(self, cluster: "Cluster", user: User | None, *, name: str, native_id: str) -> None:
        self.cluster = cluster
        self.name = name
        self._simulation: dict[str, Any] = {"bootSeconds": 0, "lobbySeconds": 0, "leaveSeconds": 0.5}
        self._spec: dict[str, Any] = {"platform": "jitsi", "nativeMeetingId": native_id, "driver": "simulated"}
        if user is not None:
            self._spec["userId"] = user.id

    def boot(self, seconds: float) -> Self:
        """How long the bot boots."""
        return self.simulating(bootSeconds=seconds)

    def lobby(self, seconds: float) -> Self:
        """How long the bot waits in the lobby."""
        return self.simulating(lobbySeconds=seconds)

    def meeting(self, seconds: float) -> Self:
        """How long the meeting lasts."""
        return self.simulating(meetingSeconds=seconds)

    def behaving(self, behaviour: str, *, after: float = 0, exit_code: int = 1) -> Self:
        """How the bot misbehaves."""
        return self.simulating(behaviour=behaviour, afterSeconds=after, exitCode=exit_code)

    def simulating(self, **fields: Any) -> Self:
        """Other fields of spec.simulation."""
        self._simulation |= fields
        return self

    def asking(self, **fields: Any) -> Self:
        """Other fields of the spec; None takes one away."""
        self._spec |= fields
        return self

    def body(self) -> dict[str, Any]:
        """The object."""
        spec = {field: value for field, value in self._spec.items() if value is not None}
        simulated = spec.get("driver") == "simulated"
        return {
            "apiVersion": "usher.dev/v1alpha1",
            "kind": "BotRequest",
            "metadata": {"name": self.name, "labels": self.cluster.labels},
            "spec": spec | ({"simulation": self._simulation} if simulated else {}),
        }

    def apply(self) -> Bot:
        """Apply it."""
        return self.cluster.apply([self])[0]

    def refusal(self) -> str:
        """What the API server says against it."""
        argv = ["kubectl", "apply", "--filename", "-"]
        done = attempt(argv, env=self.cluster.kubectl.env, stdin=json.dumps(self.body()), timeout_s=60)
        assert done.returncode != 0, f"The API server accepted {self.body()}."
        return done.stderr


class Cluster:
    """The development cluster with Usher in it."""

    def __init__(self, kubectl: Kubectl, *, run: str) -> None:
        self.kubectl = kubectl
        self._run = run
        self._numbers = itertools.count(1)

    def a_user(self, *, cap: int = 5) -> User:
        """A new user."""
        email = f"{self.a_name('e2e')}@example.com"
        said = self.kubectl.usher("user", "add", email, "--max-concurrent-bots", str(cap))
        return User(id=int(said.strip().rpartition(" ")[2]), email=email)

    def set_cap(self, user: User, cap: int) -> None:
        """Give a user another limit."""
        self.kubectl.usher("user", "add", user.email, "--max-concurrent-bots", str(cap))

    def a_bot(self, user: User | None, *, called: str = "bot") -> BotBuilder:
        """A wish for a bot in a meeting of its own; `called` begins its name."""
        name = self.a_name(called)
        return BotBuilder(self, user, name=name, native_id=name)

    def a_name(self, called: str) -> str:
        """A name that nothing else has."""
        return f"{called}-{self._run}-{next(self._numbers)}"

    def apply(self, requests: Sequence[BotBuilder]) -> list[Bot]:
        """Apply them, all in one request of a person's."""
        return self.apply_objects([request.body() for request in requests])

    def apply_objects(self, bodies: Sequence[Mapping[str, Any]]) -> list[Bot]:
        """Apply BotRequests and watch over them."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(bodies)})
        applied = json.loads(self.kubectl("apply", "--filename", "-", "--output", "json", stdin=listed))
        items = applied["items"] if applied["kind"] == "List" else [applied]
        return [Bot(self, item) for item in items]

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query finds in the database."""
        wrapped = f"SELECT coalesce(json_agg(found), '[]') FROM ({query}) AS found"
        psql = ("psql", "--username", "usher", "--dbname", "usher", "--no-psqlrc", "-qAtc", wrapped)
        found: list[dict[str, Any]] = json.loads(self.system("exec", "statefulset/usher-postgresql", "--", *psql))
        return found

    def system(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl in the namespace of Usher itself."""
        return self.kubectl("--namespace", SYSTEM, *arguments, stdin=stdin)

    def secret(self, name: str, key: str) -> str:
        """An entry of a Secret of the installation."""
        return base64.b64decode(self.kubectl.json("--namespace", SYSTEM, "get", "secret", name)["data"][key]).decode()

    def operator_words(self, *, lines: int) -> list[dict[str, Any]]:
        """The last lines of the operators' logs."""
        of_operate = "app.kubernetes.io/component=operate"
        words = ("logs", "--selector", of_operate, "--container", "operate", "--tail", str(lines))
        return _parsed(self.kubectl.attempt("--namespace", SYSTEM, *words).stdout)

    def components(self, component: str) -> list[str]:
        """The names of the pods of a part of Usher."""
        selector = f"app.kubernetes.io/component={component}"
        return self.system("get", "pods", "--selector", selector, "--output", "name").split()

    def begin_to_kill(self, component: str) -> Popen[str]:
        """Begin to kill the pods of a part of Usher as a dying node does: at once, without a word."""
        how = ("--grace-period", "0", "--force", "--wait=false")
        return self.kubectl.begin("--namespace", SYSTEM, "delete", *self.components(component), *how)

    def kill(self, component: str) -> None:
        """Kill them now."""
        with self.begin_to_kill(component) as killing:
            assert killing.wait(timeout=60) == 0

    @contextmanager
    def without(self, component: str, workload: str) -> Iterator[None]:
        """A part of Usher scaled to nothing for a while; at the end it is back and ready."""
        before = self.system("get", workload, "--output", "jsonpath={.spec.replicas}")
        try:
            self.system("scale", workload, "--replicas", "0")
            selector = f"app.kubernetes.io/component={component}"
            self.system("wait", "--for=delete", "pod", "--selector", selector, "--timeout", "90s")
            yield
        finally:
            self.system("scale", workload, "--replicas", before)
            self.wait_until_ready(workload)

    def ready(self, workload: str) -> int:
        """How many pods of a part of Usher are ready."""
        return int(self.system("get", workload, "--output", "jsonpath={.status.readyReplicas}") or 0)

    def wait_until_ready(self, workload: str) -> None:
        """Wait until a part of Usher is as it should be."""
        self.system("rollout", "status", workload, "--timeout", "180s")

    def wait_for_sweeps(self, count: int) -> None:
        """Wait until the reconciler has looked that often again."""
        before = self._sweeps()
        eventually(f"{count} sweeps", lambda: self._sweeps() >= before + count)

    def _sweeps(self) -> float:
        """Those of all operators: one of them sweeps."""
        return sum(map(self._sweeps_of, self.components("operate")))

    def _sweeps_of(self, pod: str) -> float:
        path = f"/api/v1/namespaces/{SYSTEM}/pods/{pod.removeprefix('pod/')}:8082/proxy/metrics"
        metrics = dict(line.rsplit(" ", 1) for line in self.kubectl("get", "--raw", path).splitlines())
        return float(metrics.get('usher_sweeps_total{outcome="done"}', 0))

    def leftovers(self) -> list[str]:
        """The live rows and the Jobs that there are of this run's bots."""
        mine = f"-{self._run}-"
        rows = self.rows(f"SELECT request_name FROM usher.bots WHERE ended_at IS NULL AND request_name LIKE '%{mine}%'")
        jobs = self.kubectl.json("get", "jobs")["items"]
        owners = {job["metadata"]["name"]: owner["name"] for job in jobs for owner in _owners(job)}
        return [f"row of {row['request_name']}" for row in rows] + [
            f"{name} of {owner}" for name, owner in owners.items() if mine in owner
        ]

    @property
    def labels(self) -> dict[str, str]:
        """What marks the requests of this run."""
        return {LABEL: "e2e", RUN_LABEL: self._run}

    def tidy(self) -> None:
        """Withdraw every request of this run."""
        self.kubectl("delete", "br", "--selector", f"{RUN_LABEL}={self._run}", "--wait=false")

    def tidy_all(self) -> None:
        """Withdraw what tests of earlier runs left."""
        self.kubectl("delete", "br", "--selector", f"{LABEL}=e2e", "--wait=false")


def _parsed(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def _owners(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    return job["metadata"].get("ownerReferences") or []


def _connection(pod: Mapping[str, Any]) -> str | None:
    return (pod["metadata"].get("annotations") or {}).get("usher.dev/connection-id")
