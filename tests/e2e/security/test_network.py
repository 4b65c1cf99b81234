"""What a pod can reach while the cluster's network enforces NetworkPolicies: traffic, not templates.

Where a connection is refused, somebody else was answered at the same address and port: nothing is called shut that
nobody listens at. Two addresses of the machine stand for the world, one for the internet and one for the range in which
clouds tell machines their secrets.
"""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from dev.cluster.settings import load
from dev.demo.kubectl import BOTS, SYSTEM
from dev.demo.kubectl import cluster as development
from dev.machine.commands import attempt, run
from tests.e2e.kit import Bot, Cluster, eventually

NODE = load().node_ip
INTERNET, METADATA = "203.0.113.7", "169.254.77.77"
STRANGER = "stranger"

# In a pod: which of the given [host, port] pairs can be connected to.
LOOK = """
import json, socket, sys
found = {}
for name, (host, port) in json.load(sys.stdin).items():
    try:
        socket.create_connection((host, port), timeout=3).close()
        found[name] = True
    except OSError:
        found[name] = False
print(json.dumps(found))
"""

Places = Mapping[str, tuple[str, int]]


# A bridge without ports. On loopback the machine would use such an address itself, and lose connections with it.
WORLD = "usher-world"


@contextmanager
def listening(*addresses: str) -> Iterator[list[int]]:
    """Listeners on addresses that the machine has for as long as this lasts; their ports."""
    attempt(["ip", "link", "delete", WORLD])
    run(["ip", "link", "add", WORLD, "type", "bridge"])
    try:
        run(["ip", "link", "set", WORLD, "up"])
        for address in addresses:
            run(["ip", "address", "add", f"{address}/32", "dev", WORLD])
        with ExitStack() as stack:
            servers = [stack.enter_context(socket.create_server((address, 0))) for address in addresses]
            yield [server.getsockname()[1] for server in servers]
    finally:
        run(["ip", "link", "delete", WORLD])


@pytest.fixture(scope="module", autouse=True)
def _enforced() -> None:
    if development("which").strip() != "local":
        pytest.skip("only the local cluster's network is known to enforce policies")


def address_of(cluster: Cluster, component: str) -> str:
    selector = f"app.kubernetes.io/name=usher,app.kubernetes.io/component={component}"
    pods = cluster.kubectl.json("get", "pods", "--namespace", SYSTEM, "--selector", selector)["items"]
    return str(pods[0]["status"]["podIP"])


@pytest.fixture(scope="module")
def stranger(cluster: Cluster) -> Iterator[str]:
    """A pod that is nobody's, beside the bots, which listens on 8000; its address."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "c",
        "image": "usher.dev/bot:dev",
        "imagePullPolicy": "Never",
        "command": ["python3", "-m", "http.server", "8000", "--directory", "/usr"],
        "securityContext": security,
    }
    metadata = {"name": STRANGER, "namespace": BOTS}
    spec = {"containers": [container], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    cluster.kubectl("apply", "--filename", "-", stdin=json.dumps(pod))
    cluster.kubectl("wait", "--namespace", BOTS, f"pod/{STRANGER}", "--for=condition=Ready", "--timeout=60s")
    yield str(cluster.kubectl.json("get", "pod", STRANGER, "--namespace", BOTS)["status"]["podIP"])
    cluster.kubectl("delete", "pod", STRANGER, "--namespace", BOTS, "--now")


@pytest.fixture(scope="module")
def places(cluster: Cluster, bots: tuple[Bot, Bot], stranger: str) -> Iterator[Places]:
    """Everything that somebody may want to reach, by its name."""
    with listening(INTERNET, METADATA) as (internet, metadata):
        serve = address_of(cluster, "serve")
        places = {
            "callbacks": (serve, 8081),
            "REST API": (serve, 8080),
            "operator's metrics": (address_of(cluster, "operate"), 8082),
            "Postgres": (address_of(cluster, "postgresql"), 5432),
            "Redis": (address_of(cluster, "redis"), 6379),
            "API server": (NODE, 6443),
            "kubelet": (NODE, 10250),
            "DNS": (NODE, 53),
            "another pod": (stranger, 8000),
            "internet": (INTERNET, internet),
            "metadata": (METADATA, metadata),
        }
        for name, place in places.items():
            eventually(f"{name} to be answered from the node", partial(_answered, *place))
        yield places


def reached(cluster: Cluster, places: Places, *pod: str) -> set[str]:
    """The names of the places that can be connected to from a pod, given as `kubectl exec` takes it."""
    said = cluster.kubectl("exec", "--stdin", *pod, "--", "python3", "-c", LOOK, stdin=json.dumps(places))
    return {name for name, answered in json.loads(said).items() if answered}


def test_a_bot_reaches_its_callbacks_redis_dns_and_the_internet_and_nothing_else(
    cluster: Cluster, bot: Bot, places: Places
) -> None:
    (pod,) = bot.pods()
    found = reached(cluster, places, "--namespace", BOTS, pod["metadata"]["name"], "--container", "bot")
    assert found == {"callbacks", "Redis", "DNS", "internet"}


def test_services_lead_a_bot_no_further_than_addresses(cluster: Cluster, bot: Bot) -> None:
    services: dict[str, tuple[str, int]] = {
        "callbacks": (f"usher-callbacks.{SYSTEM}.svc.cluster.local", 8081),
        "Redis": (f"usher-redis.{SYSTEM}.svc.cluster.local", 6379),
        "Postgres": (f"usher-postgresql.{SYSTEM}.svc.cluster.local", 5432),
        "REST API": (f"usher-api.{SYSTEM}.svc.cluster.local", 8080),
        "API server": ("kubernetes.default.svc.cluster.local", 443),
    }
    (pod,) = bot.pods()
    found = reached(cluster, services, "--namespace", BOTS, pod["metadata"]["name"], "--container", "bot")
    assert found == {"callbacks", "Redis"}


def test_nobody_reaches_a_bot(cluster: Cluster, bots: tuple[Bot, Bot]) -> None:
    (pod,), (neighbour,) = (bot.pods() for bot in bots)
    its: dict[str, tuple[str, int]] = {"neighbour": (neighbour["status"]["podIP"], 8000)}
    serve = "import socket\ns = socket.create_server(('', 8000))\nwhile True: s.accept()[0].close()"
    where = ("--namespace", BOTS)
    with cluster.kubectl.begin("exec", *where, neighbour["metadata"]["name"], "--", "python3", "-c", serve) as listener:
        try:
            eventually("the node, whose probes are let through, to be answered", lambda: _answered(*its["neighbour"]))
            assert reached(cluster, its, *where, STRANGER) == set()
            assert reached(cluster, its, *where, pod["metadata"]["name"], "--container", "bot") == set()
        finally:
            listener.kill()


def _answered(host: str, port: int) -> bool:
    with socket.socket() as link:
        link.settimeout(3)
        return link.connect_ex((host, port)) == 0


def test_a_stranger_in_the_bots_namespace_reaches_only_the_rest_api_of_usher(
    cluster: Cluster, stranger: str, places: Places
) -> None:
    assert stranger
    ours = ("callbacks", "REST API", "Postgres", "Redis")
    found = reached(cluster, {name: places[name] for name in ours}, "--namespace", BOTS, STRANGER)
    assert found == {"REST API"}


# A pod may well reach itself.
OWN = {
    "serve": {"callbacks", "REST API"},
    "operate": {"operator's metrics"},
    "postgresql": {"Postgres"},
    "redis": {"Redis"},
}


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        ("serve", {"Postgres", "Redis", "DNS", "API server", "internet"}),
        ("operate", {"Postgres", "Redis", "DNS", "API server"}),
    ],
)
def test_usher_reaches_what_it_needs_and_nothing_else(
    cluster: Cluster, places: Places, component: str, expected: set[str]
) -> None:
    others = {name: place for name, place in places.items() if name not in OWN[component]}
    assert reached(cluster, others, "--namespace", SYSTEM, f"deployment/usher-{component}") == expected


# The stores' images have no Python.
LOOK_BY_SHELL = 'for there in "$@"; do (exec 3<>/dev/tcp/$there) 2>/dev/null && echo $there; done; true'


@pytest.mark.parametrize("component", ["postgresql", "redis"])
def test_the_stores_reach_nothing_but_themselves(cluster: Cluster, places: Places, component: str) -> None:
    everything = {name: f"{host}/{port}" for name, (host, port) in places.items()}
    where = ("--namespace", SYSTEM, f"statefulset/usher-{component}")
    said = cluster.kubectl(
        "exec", *where, "--", "timeout", "60", "bash", "-c", LOOK_BY_SHELL, "_", *everything.values()
    )
    assert said.split() == [everything[name] for name in OWN[component]]
