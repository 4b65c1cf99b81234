"""Usher from this checkout on the development cluster: images, manifests, and the wait until all of it is ready.

Safe to repeat: what is up to date is left as it is. A Postgres that came back empty (it keeps its data in its pod)
gets its tables again, because the pods that create them are restarted then.
"""

import json
import sys

from dev.cluster.staging import chosen, digest
from dev.demo.kubectl import BOTS, SYSTEM, Kubectl, cluster
from dev.machine.errors import DevError
from dev.machine.progress import Progress

WORKLOADS = ("statefulset/postgres", "deployment/redis", "deployment/usher-operate", "deployment/usher-serve")
USHER = ("deployment/usher-operate", "deployment/usher-serve")


def install(progress: Progress) -> Kubectl:
    """Bring up the cluster with Usher in it. Raises DevError."""
    cluster("up")
    kind = cluster("which").strip()
    if kind != "current":
        cluster("build-images")
    kubectl = Kubectl()
    kubectl("config", "set-context", "--current", "--namespace", BOTS)
    with progress.step("applying manifests and waiting until Usher is ready", usually="10 to 40 s"):
        _apply(kubectl, overlay="local" if kind == "local" else "kind")
        _wait(kubectl)
    if kubectl.attempt(*kubectl.usher_arguments("db", "check")).returncode != 0:
        with progress.step("Postgres came back empty; restarting Usher to create its tables", usually="20 s"):
            _restart(kubectl)
    return kubectl


def _apply(kubectl: Kubectl, *, overlay: str) -> None:
    said = kubectl("apply", "--kustomize", f"manifests/overlays/{overlay}")
    if any(f"{named} configured" in said for named in ("configmap/usher", "secret/usher", "secret/usher-operate")):
        kubectl("--namespace", SYSTEM, "rollout", "restart", *USHER)
    if "secret/redis configured" in said:  # it reads its users when it starts
        kubectl("--namespace", SYSTEM, "rollout", "restart", "deployment/redis")
    # The image's name stays the same when its content changes; what it is made of is written on the pods.
    made_of = {"usher.dev/made-of": digest(chosen("operator")[0])}
    patch = {"spec": {"template": {"metadata": {"annotations": made_of}}}}
    for workload in USHER:
        kubectl("--namespace", SYSTEM, "patch", workload, "--patch", json.dumps(patch))


def _restart(kubectl: Kubectl) -> None:
    kubectl("--namespace", SYSTEM, "rollout", "restart", *USHER)
    _wait(kubectl)


def _wait(kubectl: Kubectl) -> None:
    for workload in WORKLOADS:
        done = kubectl.attempt("--namespace", SYSTEM, "rollout", "status", workload, "--timeout", "240s")
        if done.returncode != 0:
            pods = kubectl.attempt("--namespace", SYSTEM, "get", "pods", "--output", "wide").stdout
            logs = kubectl.attempt("--namespace", SYSTEM, "logs", workload, "--all-containers", "--tail", "20").stdout
            raise DevError(f"{workload} is not ready: {done.stderr.strip()}\n{pods}\n{logs}")


def main() -> int:
    """`python3 -m dev.demo.installation`."""
    try:
        install(Progress())
    except DevError as error:
        print(f"installation: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
