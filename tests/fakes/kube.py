"""Kubernetes in memory: what `KubePort` promises, every write on record, and every way it is known to fail.

    kube = FakeKube()
    kube.apply(a_request_object(...))        a BotRequest, as kubectl would
    kube.away = True                         nobody answers any more
    kube.forbidden.add("team-b")             this namespace cannot be listed
    kube.fail("create_job", KubernetesUnavailable())            the next call fails, and nothing happened
    kube.fail("create_job", KubernetesUnavailable(), late=True)     it happened, but the reply is lost
    kube.writes                              what the API server was asked to write for bots, in order
    kube.config_map_writes                   how often it was asked to write a ConfigMap
    kube.refused_statuses["bots"] = "no"     status writes in that namespace are refused for good
    kube.installation = "…"                  lists leave out what carries the id of another installation

Deleting a Job leaves its pod behind with a deletion timestamp until `pod_gone`, as the kubelet does.
"""

import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.objects import a_pod
from usher_models.errors import KubernetesUnavailable
from usher_models.states import TERMINAL
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job import CONTAINER, REQUEST_LABEL
from usher_operator.kube.job_status import installation_of, labels_of
from usher_operator.kube.port import LOG_TAIL_BYTES, LOG_TAIL_LINES, WriteRefused

Json = dict[str, Any]
Key = tuple[str, str]

DELETED_AT = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Write:
    """One request that changes something on the API server."""

    verb: str
    kind: str
    name: str


@dataclass(frozen=True)
class _Fault:
    error: Exception
    late: bool


class FakeKube:
    """Implements KubePort. Objects go in and out as copies."""

    def __init__(self) -> None:
        self.away = False
        self.forbidden: set[str] = set()
        self.requests: dict[Key, Json] = {}
        self.jobs: dict[Key, Json] = {}
        self.pods: dict[Key, Json] = {}
        self.config_maps: dict[Key, Json] = {}
        self.events: list[Json] = []
        self.events_of_pods: dict[str, list[Json]] = {}
        self.logs_of_pods: dict[str, str] = {}
        self.logs_of_containers: dict[tuple[str, str, bool], str] = {}
        self.writes: list[Write] = []
        self.config_map_writes = 0
        self.reads = 0
        self.revoked: set[Key] = set()
        self.refused_statuses: dict[str, str] = {}
        self.installation: str | None = None
        self._faults: dict[str, list[_Fault]] = {}
        self._numbers = itertools.count(1)

    def fail(self, method: str, error: Exception, *, late: bool = False) -> None:
        """Let the next call of `method` raise `error`; `late`: after it did its work."""
        self._faults.setdefault(method, []).append(_Fault(error, late))

    def apply(self, body: Json) -> Json:
        """Create or change a BotRequest as its owner: metadata and spec count, a changed spec is a new generation."""
        key = (body["metadata"]["namespace"], body["metadata"]["name"])
        old = self.requests.get(key)
        new = copy.deepcopy(body)
        if old is not None:
            changed = old["spec"] != new["spec"]
            new["metadata"] = old["metadata"] | {"generation": old["metadata"]["generation"] + changed}
            new["status"] = old["status"]
        new.setdefault("status", {})
        self.requests[key] = new
        return copy.deepcopy(new)

    def owner_deletes(self, namespace: str, name: str) -> None:
        """Delete a BotRequest as its owner; its Jobs are collected with it."""
        uid = self.requests.pop((namespace, name))["metadata"]["uid"]
        for key, job in list(self.jobs.items()):
            if any(owner["uid"] == uid for owner in job["metadata"].get("ownerReferences", [])):
                self._drop_job(key)

    def status(self, name: str, namespace: str = "bots") -> Json:
        """The status that a BotRequest shows."""
        shown: Json = self.requests[namespace, name]["status"]
        return shown

    def condition(self, kind: str, name: str, namespace: str = "bots") -> Json:
        """One condition of a BotRequest."""
        return next(found for found in self.status(name, namespace)["conditions"] if found["type"] == kind)

    def run_pod(self, job_name: str, namespace: str = "bots", **fields: Any) -> Json:
        """The Job's pod, as the Job controller would make it; `fields` go to `objects.a_pod`."""
        job = self.jobs[namespace, job_name]
        defaults = {"namespace": namespace, "annotations": job["metadata"].get("annotations")}
        self.pods[namespace, job_name] = a_pod(job_name, **defaults | fields)
        return self.pods[namespace, job_name]

    def pod_gone(self, job_name: str, namespace: str = "bots") -> None:
        """The kubelet has removed the pod."""
        self.pods.pop((namespace, job_name), None)

    def finish(self, job_name: str, namespace: str = "bots", *, condition: Json, **pod: Any) -> Json:
        """The Job has ended with `condition`, and its pod as `pod` says; without `pod`, the pod is gone."""
        job = self.jobs[namespace, job_name]
        job["status"] = {"conditions": [{"status": "True"} | condition]}
        if pod:
            self.run_pod(job_name, namespace, **pod)
        else:
            self.pod_gone(job_name, namespace)
        return copy.deepcopy(job)

    def writes_of(self, kind: str) -> list[str]:
        """The verbs of all writes to objects of `kind`."""
        return [write.verb for write in self.writes if write.kind == kind]

    async def create_job(self, namespace: str, job: Json) -> bool:
        """See KubePort."""
        fault = self._call("create_job")
        key = (namespace, job["metadata"]["name"])
        self.writes.append(Write("create", "Job", key[1]))
        created = key not in self.jobs
        if created:
            new = copy.deepcopy(job)
            new["metadata"] |= {"namespace": namespace, "uid": f"job-uid-{next(self._numbers)}"}
            self.jobs[key] = new
        _raise(fault)
        return created

    async def get_job(self, namespace: str, name: str) -> Json | None:
        """See KubePort."""
        self._read("get_job")
        return copy.deepcopy(self.jobs.get((namespace, name)))

    async def delete_job(self, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """See KubePort."""
        fault = self._call("delete_job")
        self.writes.append(Write("delete", "Job", name))
        job = self.jobs.get((namespace, name))
        found = job is not None and uid in (None, job["metadata"].get("uid"))
        if found:
            self._drop_job((namespace, name))
        _raise(fault)
        return found

    async def list_jobs(self, namespace: str, *, succeeded: bool = True, request_uid: str | None = None) -> list[Json]:
        """See KubePort."""
        self._read("list_jobs", namespace)
        jobs = [job for job in _inside(namespace, self.jobs) if succeeded or not _completed(job)]
        jobs = [job for job in jobs if request_uid in (None, labels_of(job).get(REQUEST_LABEL))]
        return [job for job in jobs if self.installation in (None, installation_of(job))]

    async def list_pods(self, namespace: str, *, job_name: str | None = None, succeeded: bool = True) -> list[Json]:
        """See KubePort."""
        self._read("list_pods", namespace)
        return [
            copy.deepcopy(pod)
            for (inside, job), pod in self.pods.items()
            if inside == namespace and job_name in (None, job) and (succeeded or not _exited_well(pod))
        ]

    async def get_request(self, namespace: str, name: str) -> BotRequest | None:
        """See KubePort."""
        self._read("get_request")
        body = self.requests.get((namespace, name))
        request = None if body is None else BotRequest.from_object(body)
        return request if request is not None and request.is_of(self.installation) else None

    async def list_requests(self, namespace: str, *, ended: bool = True) -> list[BotRequest]:
        """See KubePort."""
        self._read("list_requests", namespace)
        requests = [BotRequest.from_object(body) for body in _inside(namespace, self.requests)]
        requests = [request for request in requests if request.is_of(self.installation)]
        return [request for request in requests if ended or request.phase not in TERMINAL]

    async def create_request(self, namespace: str, request: Json) -> bool:
        """See KubePort."""
        fault = self._call("create_request")
        key = (namespace, request["metadata"]["name"])
        self.writes.append(Write("create", "BotRequest", key[1]))
        created = key not in self.requests
        if created:
            new = copy.deepcopy(request)
            new["metadata"] |= {"namespace": namespace, "uid": f"request-uid-{next(self._numbers)}", "generation": 1}
            self.apply(new)
        _raise(fault)
        return created

    async def delete_request(self, namespace: str, name: str, *, uid: str | None) -> bool:
        """See KubePort."""
        fault = self._call("delete_request")
        self.writes.append(Write("delete", "BotRequest", name))
        found = self.requests.get((namespace, name))
        same = found is not None and uid in (None, found["metadata"]["uid"])
        if same:
            self.owner_deletes(namespace, name)
        _raise(fault)
        return same

    async def foreign_objects(self, namespace: str, *, installation: str) -> list[str]:
        """See KubePort."""
        self._read("foreign_objects")
        jobs = [job for job in _inside(namespace, self.jobs) if installation_of(job) not in (None, installation)]
        requests = map(BotRequest.from_object, _inside(namespace, self.requests))
        names = [job["metadata"]["name"] for job in jobs]
        return names + [request.name for request in requests if not request.is_of(installation)]

    async def revoke(self, namespace: str, role_binding: str) -> bool:
        """Note that a RoleBinding was deleted."""
        _raise(self._call("revoke"))
        self.revoked.add((namespace, role_binding))
        return True

    async def patch_request_status(self, namespace: str, name: str, status: Json, *, uid: str) -> bool:
        """See KubePort."""
        fault = self._call("patch_request_status")
        self.writes.append(Write("patch", "BotRequest", name))
        refusal = self.refused_statuses.get(namespace)
        if refusal is not None:
            raise WriteRefused(refusal)
        found = self.requests.get((namespace, name))
        same = found is not None and found["metadata"]["uid"] == uid
        if found is not None and same:
            _merge(found["status"], copy.deepcopy(status))
        _raise(fault)
        return same

    async def get_config_map(self, namespace: str, name: str) -> Json | None:
        """See KubePort."""
        self._read("get_config_map", namespace)
        return copy.deepcopy(self.config_maps.get((namespace, name)))

    async def patch_config_map(self, namespace: str, name: str, patch: Json) -> bool:
        """See KubePort."""
        fault = self._call("patch_config_map")
        self.config_map_writes += 1
        found = self.config_maps.get((namespace, name))
        expected = patch["metadata"].get("resourceVersion")
        same = found is not None and expected in (None, found["metadata"]["resourceVersion"])
        if found is not None and same:
            _merge(found, copy.deepcopy(patch))
            found["metadata"]["resourceVersion"] = str(next(self._numbers))
        _raise(fault)
        return same

    async def create_event(self, namespace: str, event: Json) -> None:
        """See KubePort."""
        self.writes.append(Write("create", "Event", event["involvedObject"]["name"]))
        if not self.away:
            self.events.append(copy.deepcopy(event))

    async def pod_events(self, namespace: str, pod_name: str) -> list[Json]:
        """See KubePort."""
        self._read("pod_events")
        return copy.deepcopy(self.events_of_pods.get(pod_name, []))

    async def pod_log(
        self,
        namespace: str,
        pod_name: str,
        *,
        container: str = CONTAINER,
        lines: int = LOG_TAIL_LINES,
        limit_bytes: int = LOG_TAIL_BYTES,
        previous: bool = False,
    ) -> str:
        """See KubePort."""
        self._read("pod_log", namespace)
        if previous or container != CONTAINER:
            log = self.logs_of_containers.get((pod_name, container, previous), "")
        else:
            log = self.logs_of_pods.get(pod_name, "")
        last = "".join(log.splitlines(keepends=True)[-lines:])
        return last.encode()[:limit_bytes].decode(errors="replace")

    def _drop_job(self, key: Key) -> None:
        del self.jobs[key]
        if key in self.pods:
            self.pods[key]["metadata"]["deletionTimestamp"] = DELETED_AT

    def _read(self, method: str, namespace: str = "") -> None:
        self.reads += 1
        if namespace in self.forbidden:
            raise KubernetesUnavailable(f"{method}: forbidden in the namespace {namespace}.")
        _raise(self._call(method))

    def _call(self, method: str) -> _Fault | None:
        if self.away:
            raise KubernetesUnavailable("The fake API server is away.")
        waiting = self._faults.get(method)
        fault = waiting.pop(0) if waiting else None
        if fault is not None and not fault.late:
            raise fault.error
        return fault


def _raise(fault: _Fault | None) -> None:
    if fault is not None:
        raise fault.error


def _inside(namespace: str, objects: Mapping[Key, Json]) -> list[Json]:
    return [copy.deepcopy(found) for (inside, _), found in objects.items() if inside == namespace]


def _merge(old: Json, patch: Json) -> None:
    """RFC 7396: null removes, an object merges, anything else replaces."""
    for name, value in patch.items():
        if value is None:
            old.pop(name, None)
        elif isinstance(value, dict) and isinstance(old.get(name), dict):
            _merge(old[name], value)
        else:
            old[name] = value


def _completed(job: Json) -> bool:
    """Whether the Job controller counted its pod as succeeded."""
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Complete" and each["status"] == "True" for each in conditions)


def _exited_well(pod: Json) -> bool:
    """Whether its one container ended with 0, which makes its phase Succeeded."""
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    codes = [each["state"]["terminated"]["exitCode"] for each in containers if "terminated" in each.get("state", {})]
    return bool(codes) and not any(codes)
