"""What pods may be: the namespaces take restricted ones only, and every pod of Usher is one and runs."""

import json
from typing import Any

import pytest

from dev.demo.kubectl import BOTS, SYSTEM
from tests.e2e.kit import Bot, Cluster
from tests.e2e.security import inside

RESTRICTED: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def a_pod(namespace: str, *, security: dict[str, Any], **pod: Any) -> str:
    container = {"name": "c", "image": "usher.dev/bot:dev", "securityContext": security}
    metadata = {"name": "intruder", "namespace": namespace}
    spec = {"containers": [container], "automountServiceAccountToken": False, **pod}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def said_about(cluster: Cluster, pod: str) -> str:
    """What the API server says to that pod, which it does not keep."""
    done = cluster.kubectl.attempt("create", "--dry-run=server", "--filename", "-", stdin=pod)
    return done.stdout + done.stderr


@pytest.mark.parametrize("namespace", [SYSTEM, BOTS])
@pytest.mark.parametrize(
    ("security", "pod", "wrong"),
    [
        pytest.param(RESTRICTED | {"privileged": True, "allowPrivilegeEscalation": True}, {}, "privileged", id="root"),
        pytest.param(RESTRICTED, {"hostNetwork": True}, "hostNetwork", id="network"),
        pytest.param(RESTRICTED, {"hostPID": True}, "hostPID", id="processes"),
        pytest.param(RESTRICTED, {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "hostPath", id="disk"),
        pytest.param(RESTRICTED | {"runAsUser": 0}, {}, "runAsUser=0", id="user"),
        pytest.param({}, {}, "allowPrivilegeEscalation != false", id="nothing said"),
    ],
)
def test_a_pod_that_reaches_for_the_node_is_refused(
    cluster: Cluster, namespace: str, security: dict[str, Any], pod: dict[str, Any], wrong: str
) -> None:
    said = said_about(cluster, a_pod(namespace, security=security, **pod))
    assert 'violates PodSecurity "restricted' in said
    assert wrong in said


@pytest.mark.parametrize("namespace", [SYSTEM, BOTS])
def test_a_restricted_pod_is_taken(cluster: Cluster, namespace: str) -> None:
    assert "pod/intruder created" in said_about(cluster, a_pod(namespace, security=RESTRICTED))


def test_every_pod_of_usher_runs_with_a_read_only_disk_and_no_right_on_the_node(cluster: Cluster, bot: Bot) -> None:
    pods = [*cluster.kubectl.json("get", "pods", "--namespace", SYSTEM)["items"], *bot.pods()]
    running = {pod["metadata"]["name"]: pod for pod in pods if pod["status"]["phase"] == "Running"}
    assert len(running) >= 6
    for name, pod in running.items():
        for container in pod["spec"]["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"], name
            assert not context["allowPrivilegeEscalation"], name
            assert context["capabilities"] == {"drop": ["ALL"]}, name


PROCESS = """
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
found = {name: status[name].strip() for name in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}
found["uid"] = os.getuid()
found["writable"] = [path for path in ("/", "/etc", "/opt", "/opt/code", "/usr/bin", "/var", "/home") if writable(path)]
"""
WRITABLE = """
def writable(folder):
    try:
        open(os.path.join(folder, "x"), "w").close()
    except OSError:
        return False
    return True
"""


def test_a_bots_process_has_no_capability_and_cannot_write_to_its_image(bot: Bot) -> None:
    assert inside.run(bot, WRITABLE + PROCESS) == {
        "CapEff": "0000000000000000",
        "CapBnd": "0000000000000000",
        "NoNewPrivs": "1",
        "Seccomp": "2",
        "uid": 65532,
        "writable": [],
    }


@pytest.mark.parametrize("deployment", ["usher-operate", "usher-serve"])
def test_the_control_planes_process_has_no_capability_and_cannot_write_to_its_image(
    cluster: Cluster, deployment: str
) -> None:
    probe = f"import json, os\nfound = {{}}\n{WRITABLE}\n{PROCESS}\nprint(json.dumps(found))"
    found = json.loads(cluster.system("exec", f"deploy/{deployment}", "--", "python3", "-c", probe))
    assert (found["uid"], found["CapEff"], found["NoNewPrivs"]) == (65532, "0000000000000000", "1")
    assert found["writable"] == []


PARTS = """
import importlib.util, shutil, sys
names = ["usher_bot", "usher_operator", "usher_models.db", "kopf", "kubernetes", "sqlalchemy", "psycopg", "pip"]
def there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
found = {"modules": [name for name in names if there(name)], "safe_path": sys.flags.safe_path}
found["programs"] = [name for name in ("usher", "usher-bot", "pip", "gcc", "curl", "wget") if shutil.which(name)]
"""


def test_the_bots_image_holds_the_bot_and_nothing_of_the_control_plane(bot: Bot) -> None:
    assert inside.run(bot, PARTS) == {"modules": ["usher_bot"], "safe_path": True, "programs": ["usher-bot"]}


def test_the_control_planes_image_holds_nothing_of_the_bot(cluster: Cluster) -> None:
    probe = f"import json\n{PARTS}\nprint(json.dumps(found))"
    found = json.loads(cluster.system("exec", "deploy/usher-serve", "--", "python3", "-c", probe))
    assert found == {
        "modules": ["usher_operator", "usher_models.db", "kopf", "kubernetes", "sqlalchemy", "psycopg"],
        "safe_path": True,
        "programs": ["usher"],
    }
