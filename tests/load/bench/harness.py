"""The harness: a control plane with fake nodes, the stores, and what a benchmark asks of them.

It begins with an empty control plane and leaves nothing behind.
"""

import asyncio
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import yaml

from dev.cluster import bare, binaries, components, kubectl, pki
from dev.cluster.component import Component, process
from dev.cluster.settings import Settings
from dev.machine import processes
from dev.machine.progress import Progress
from tests.load.bench.figures import FOLDER
from tests.load.bench.load import Target, one
from tests.load.bench.profiles import Profiler
from tests.load.botswarm.connections import Response
from tests.load.plane import NAMESPACE, UsherProcess

NODES = 10
ACCOUNT = "usher-load"
# The control plane's heaps are small here, and it would collect garbage for a fifth of its time.
ROOMY = {"GOGC": "400"}
REQUESTS = f"/apis/usher.dev/v1alpha1/namespaces/{NAMESPACE}/botrequests"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
RAW = "usher-raw"
USHERS_CLIENTS = ("OpenAPI-Generator", "kopf", "Python/", "usher/")


@dataclass
class Harness:
    """A running control plane and its helpers; `cpu` collects each benchmark's shares."""

    settings: Settings
    folder: Path
    say: Callable[[str], None]
    cpu: dict[str, dict[str, float]] = field(default_factory=dict)
    audit_read: int = 0
    profiler: Profiler | None = None
    token: str = ""

    @property
    def kubeconfig(self) -> Path:
        """That of a ServiceAccount: the API server verifies a certificate anew with every request, a token seldom."""
        return self.settings.kubeconfig(ACCOUNT)

    @property
    def api(self) -> Target:
        """The API server, spoken to as that ServiceAccount."""
        tls = ssl.create_default_context(cafile=str(self.settings.pki / "ca.crt"))
        headers = (("Authorization", f"Bearer {self.token}"),)
        return Target(host="127.0.0.1", port=self.settings.apiserver_port, tls=tls, headers=headers)

    async def call(self, method: str, path: str, body: object = None) -> Response:
        """One request to the API server."""
        return await one(self.api, self.api.request(method, path, json.dumps(body).encode() if body else b""))

    async def count(self, path: str) -> int:
        """How many objects there are at `path`, without reading them all."""
        answer = await self.call("GET", f"{path}?limit=1")
        page = parsed(answer.body)
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))

    def stop(self, name: str) -> None:
        """Stop a component."""
        processes.stop(component(self.settings, name).process)

    def start(self, name: str) -> None:
        """Start it again."""
        one_of = component(self.settings, name)
        processes.start(one_of.process)
        components.wait(one_of)

    async def renew(self) -> None:
        """An empty control plane again, as at the beginning."""
        await asyncio.to_thread(_down, self.settings)
        await asyncio.to_thread(_up, self.settings, Progress())
        self.audit_read = 0
        await _furnish(self)

    @contextmanager
    def shares(self, benchmark: str, *ours: UsherProcess) -> Iterator[None]:
        """Note how much of one core each process used meanwhile."""
        named = {one.command: one.pid for one in ours} | {"the harness itself": psutil.Process().pid}
        before, began = _cpu(named, self.settings), time.monotonic()
        with self.profiler.sampling(benchmark, *ours) if self.profiler else nullcontext():
            yield
        seconds, after = time.monotonic() - began, _cpu(named, self.settings)
        shares = {name: (after[name] - before.get(name, 0.0)) / seconds for name in after}
        self.cpu[benchmark] = {name: share for name, share in shares.items() if share >= 0.005}

    def writes(self, names: set[str] | None = None) -> Counter[str]:
        """Usher's writes since the last look, about objects of those names or about all, from the audit log."""
        counts: Counter[str] = Counter()
        for entry in self._audited():
            ref = entry["objectRef"]
            if names is None or ref.get("name", "").partition(".")[0] in names:
                counts["/".join(filter(None, (entry["verb"], ref["resource"], ref.get("subresource"))))] += 1
        return counts

    def shown(self) -> dict[str, float]:
        """When each BotRequest first got a status since the last look (UNIX seconds), by its name."""
        found: dict[str, float] = {}
        for entry in self._audited():
            if entry["objectRef"].get("subresource") == "status":
                at = datetime.fromisoformat(entry["stageTimestamp"]).timestamp()
                found.setdefault(entry["objectRef"]["name"], at)
        return found

    def _audited(self) -> Iterator[dict[str, Any]]:
        """What Usher wrote since the last look."""
        with self.settings.audit_log.open() as log:
            log.seek(self.audit_read)
            for line in log:
                entry = json.loads(line) if line.endswith("\n") else {}
                if "objectRef" in entry and entry.get("userAgent", "").startswith(USHERS_CLIENTS):
                    yield entry
            self.audit_read = log.tell()


@asynccontextmanager
async def up(*, folder: Path, progress: Progress, profiler: Profiler | None = None) -> AsyncIterator[Harness]:
    """Bring everything up; take it down at the end. What a killed run left is removed first."""
    settings = bare.load()
    await asyncio.to_thread(_down, settings)
    try:
        await asyncio.to_thread(_up, settings, progress)
        harness = Harness(settings=settings, folder=folder, say=progress.say, profiler=profiler)
        await _furnish(harness)
        yield harness
    finally:
        await asyncio.to_thread(_down, settings)


def _up(settings: Settings, progress: Progress) -> None:
    with progress.step("starting the control plane", usually="15 s"):
        binaries.ensure(settings, binaries.KUBERNETES, binaries.TOOLS, progress=progress)
        pki.ensure(settings, progress=progress)
        settings.audit_log.parent.mkdir(parents=True, exist_ok=True)
        for name in bare.COMPONENTS:
            processes.start(component(settings, name).process)
            components.wait(component(settings, name))
        bare.define_botrequests(settings)


def _down(settings: Settings) -> None:
    processes.stop(_kwok(settings), kill=True)
    bare.down(settings, purge=True)


def component(settings: Settings, name: str) -> Component:
    """A component of the bare control plane, with an audit log, and with memory instead of garbage collections."""
    usual = bare.component(settings, name)
    extra: tuple[str, ...] = ()
    if name == "apiserver":
        policy = FOLDER / "audit-policy.yaml"
        extra = (f"--audit-policy-file={policy}", f"--audit-log-path={settings.audit_log}", "--audit-log-maxsize=2000")
    env = {**usual.process.env, **ROOMY}
    return replace(usual, process=replace(usual.process, argv=(*usual.process.argv, *extra), env=env))


def _kwok(settings: Settings) -> processes.Process:
    program = str(binaries.program(settings, "kwok"))
    flags = (
        f"--kubeconfig={settings.kubeconfig(ACCOUNT)}",
        f"--config={FOLDER / 'kwok.yaml'}",
        "--manage-all-nodes=true",
    )
    return process(settings, "kwok", (program, *flags))


async def _furnish(harness: Harness) -> None:
    harness.token = await asyncio.to_thread(_account, harness.settings)
    harness.kubeconfig.write_text(json.dumps(_with_token(harness.settings, harness.token)))
    processes.start(_kwok(harness.settings))
    for namespace in (NAMESPACE, RAW):
        await harness.call("POST", "/api/v1/namespaces", _named("Namespace", namespace))
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        await harness.call("POST", accounts, _named("ServiceAccount", "usher-bot"))
    for number in range(NODES):
        node = _named("Node", f"kwok-{number}")
        node["metadata"]["labels"] = {"life": "long", "type": "kwok"}
        await harness.call("POST", "/api/v1/nodes", node)


def _account(settings: Settings) -> str:
    """The token of a new ServiceAccount that may do everything."""
    kubectl.kubectl(settings, "create", "serviceaccount", ACCOUNT, "--namespace=default")
    binding = ("clusterrolebinding", ACCOUNT, "--clusterrole=cluster-admin", f"--serviceaccount=default:{ACCOUNT}")
    kubectl.kubectl(settings, "create", *binding)
    return kubectl.kubectl(settings, "create", "token", ACCOUNT, "--namespace=default", "--duration=24h").strip()


def _with_token(settings: Settings, token: str) -> dict[str, Any]:
    """The administrator's kubeconfig, but for who is meant."""
    body: dict[str, Any] = yaml.safe_load(settings.kubeconfig().read_text())
    for user in body["users"]:
        user["user"] = {"token": token}
    return body


def _named(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON in a body that may be chunked."""
    if not body.startswith(b"{"):
        chunks, rest = [], body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size or b"0", 16)
            chunks.append(rest[:length])
            rest = rest[length + 2 :]
        body = b"".join(chunks)
    return dict(json.loads(body))


def _cpu(named: dict[str, int], settings: Settings) -> dict[str, float]:
    """CPU seconds so far, by what the process is."""
    seconds: Counter[str] = Counter()
    wanted = {pid: name for name, pid in named.items()}
    for one_of in psutil.process_iter(["pid", "name", "cmdline", "cpu_times"]):
        times, name = one_of.info["cpu_times"], one_of.info["name"] or ""
        if times is None:
            continue
        if one_of.pid in wanted:
            seconds[wanted[one_of.pid]] += times.user + times.system
        elif name.startswith(("postgres", "redis")):
            seconds[name.partition("-")[0]] += times.user + times.system
        elif any(settings.marker in part for part in one_of.info["cmdline"] or []):
            seconds[name] += times.user + times.system
    return dict(seconds)


def rss_mib(pid: int) -> float:
    """Resident memory of a process, in MiB."""
    return float(psutil.Process(pid).memory_info().rss) / 2**20
