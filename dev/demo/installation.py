"""Usher from this checkout on the development cluster, as a user installs it: by helm from helm/usher.

Safe to repeat, also after a killed run: what is up to date is left as it is. A Postgres that came back empty (it keeps
its data in its pod) gets its tables again, because the pods that create them are restarted then.
"""

import json
import sys

from dev.cluster.staging import chosen, digest
from dev.conference import chart_values
from dev.conference.settings import for_cluster
from dev.demo.kubectl import BOTS, ROOT, SYSTEM, Kubectl, cluster
from dev.machine.commands import attempt
from dev.machine.errors import DevError
from dev.machine.progress import Progress

RELEASE = "usher"
CHART = ROOT / "helm" / "usher"
VALUES = ROOT / "dev" / "demo" / "values"
USHER = ("deployment/usher-operate", "deployment/usher-serve")
WORKLOADS = ("statefulset/usher-postgresql", "statefulset/usher-redis", *USHER)
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
TIMEOUT = "240s"


def install(progress: Progress) -> Kubectl:
    """Bring up the cluster with Usher in it. Raises DevError."""
    cluster("up")
    kind = cluster("which").strip()
    if kind != "current":
        cluster("build-images")
    kubectl = Kubectl()
    kubectl("config", "set-context", "--current", "--namespace", BOTS)
    _remove_kustomize(kubectl, progress=progress)
    with progress.step("installing the chart and waiting until Usher is ready", usually="10 to 60 s"):
        _prepare(kubectl)
        _upgrade(kubectl, values=values(kind))
    if kubectl.attempt(*kubectl.usher_arguments("db", "check")).returncode != 0:
        with progress.step("Postgres came back empty; restarting Usher to create its tables", usually="20 s"):
            _restart(kubectl)
    return kubectl


def values(kind: str) -> list[str]:
    """helm's arguments for the values of the development cluster."""
    files = [VALUES / "development.yaml", VALUES / "short-clocks.yaml"]
    if kind == "local":
        files += [VALUES / "local.yaml", chart_values.write(for_cluster())]
    # The image's name stays the same when its content changes; what it is made of is written on the pods.
    made_of = json.dumps({"usher.dev/made-of": digest(chosen("operator")[0])})
    named = [word for file in files for word in ("--values", str(file))]
    return [
        *named,
        *(word for part in ("operate", "serve") for word in ("--set-json", f"{part}.podAnnotations={made_of}")),
    ]


def helm(kubectl: Kubectl, *arguments: str) -> str:
    """Run helm and return what it prints. Raises DevError with its words."""
    done = attempt(["helm", *arguments], env=kubectl.env, cwd=ROOT, timeout_s=600)
    if done.returncode != 0:
        raise DevError(f"`helm {' '.join(arguments[:2])}` failed: {done.stderr.strip()}")
    return done.stdout


def _prepare(kubectl: Kubectl) -> None:
    """The namespace, which takes restricted pods only; and no release that a killed run left half installed."""
    if kubectl.attempt("get", "namespace", SYSTEM).returncode != 0:
        kubectl("create", "namespace", SYSTEM)
    kubectl("label", "namespace", SYSTEM, RESTRICTED, "--overwrite")
    listed = json.loads(helm(kubectl, "list", "--namespace", SYSTEM, "--all", "--output", "json"))
    state = next((one["status"] for one in listed if one["name"] == RELEASE), "")
    if state in ("pending-install", "uninstalling", "failed"):
        helm(kubectl, "uninstall", RELEASE, "--namespace", SYSTEM, "--no-hooks", "--wait", "--timeout", TIMEOUT)
    elif state in ("pending-upgrade", "pending-rollback"):
        helm(kubectl, "rollback", RELEASE, "--namespace", SYSTEM, "--timeout", TIMEOUT)


def _upgrade(kubectl: Kubectl, *, values: list[str]) -> None:
    where = ("--namespace", SYSTEM, "--install", "--history-max", "5")
    try:
        helm(kubectl, "upgrade", RELEASE, str(CHART), *where, *values, "--wait", "--timeout", TIMEOUT)
    except DevError as error:
        pods = kubectl.attempt("--namespace", SYSTEM, "get", "pods", "--output", "wide").stdout
        logs = [
            kubectl.attempt("--namespace", SYSTEM, "logs", workload, "--all-containers", "--tail", "20").stdout
            for workload in WORKLOADS
        ]
        raise DevError("\n".join([str(error), pods, *logs])) from error


def _remove_kustomize(kubectl: Kubectl, *, progress: Progress) -> None:
    """Remove an installation of manifests/: the labels by which its Deployments find their pods cannot be changed."""
    made_by = kubectl.attempt(
        "--namespace", SYSTEM, "get", "deployment", "usher-operate", "--output",
        r"jsonpath={.metadata.labels.app\.kubernetes\.io/managed-by}",
    ).stdout  # fmt: skip
    if made_by == "kustomize":
        with progress.step("removing the installation that kustomize made", usually="20 to 60 s"):
            kubectl("delete", "--kustomize", "manifests/overlays/local", "--ignore-not-found")


def _restart(kubectl: Kubectl) -> None:
    kubectl("--namespace", SYSTEM, "rollout", "restart", *USHER)
    for workload in USHER:
        kubectl("--namespace", SYSTEM, "rollout", "status", workload, "--timeout", TIMEOUT)


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
