"""The manifests: what is deployed, with which rights, and under which restrictions."""

import base64
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from usher_operator.settings import load

Objects = dict[tuple[str, str], dict[str, Any]]
Build = Callable[[str], Objects]

MANIFESTS = Path(__file__).resolve().parents[3] / "manifests"
WRITTEN = [
    item
    for path in sorted([*MANIFESTS.glob("base/*.yaml"), *MANIFESTS.glob("overlays/*/*.yaml")])
    for item in yaml.safe_load_all(path.read_text())
]
WORKLOADS = [
    pytest.param(item, id=item["metadata"]["name"])
    for item in WRITTEN
    if item["kind"] in ("Deployment", "StatefulSet", "Job")
]
FOLDERS = ["manifests/base", "manifests/overlays/local", "manifests/overlays/kind"]
IMAGES = {
    "manifests/base": {"usher.dev/operator:0.1.0"},
    "manifests/overlays/local": {"usher.dev/operator:dev", "usher.dev/postgres:dev", "usher.dev/redis:dev"},
    "manifests/overlays/kind": {"usher.dev/operator:dev", "postgres:16", "redis:7"},
}


def containers(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pod = item["spec"]["template"]["spec"]
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


def named(kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in WRITTEN if item["kind"] == kind and item["metadata"]["name"] == name)
    return found


@pytest.mark.parametrize("item", WORKLOADS)
def test_every_pod_meets_the_restricted_standard(item: dict[str, Any]) -> None:
    pod = item["spec"]["template"]["spec"]["securityContext"]
    assert (pod["runAsNonRoot"], pod["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    for container in containers(item):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("item", WORKLOADS)
def test_kubectl_exec_needs_not_say_which_container_it_took(item: dict[str, Any]) -> None:
    template = item["spec"]["template"]
    named = template["metadata"].get("annotations", {}).get("kubectl.kubernetes.io/default-container")
    assert len(list(containers(item))) == 1 or named in [each["name"] for each in template["spec"]["containers"]]


@pytest.mark.parametrize("item", WORKLOADS)
def test_every_container_asks_for_what_it_needs_and_has_a_memory_limit(item: dict[str, Any]) -> None:
    for container in containers(item):
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("item", WORKLOADS)
def test_only_operate_and_serve_hold_a_token_of_the_cluster(item: dict[str, Any]) -> None:
    mounted = item["spec"]["template"]["spec"]["automountServiceAccountToken"]
    assert mounted == (item["metadata"]["name"] in ("usher-operate", "usher-serve"))


@pytest.mark.parametrize("item", WORKLOADS)
def test_no_pod_gets_variables_named_after_services(item: dict[str, Any]) -> None:
    # The Service usher-api would become USHER_API_PORT=tcp://…, which is a setting of Usher's own.
    assert item["spec"]["template"]["spec"]["enableServiceLinks"] is False


def test_no_service_account_hands_out_its_token_unasked() -> None:
    accounts = [item for item in WRITTEN if item["kind"] == "ServiceAccount"]
    assert {item["metadata"]["name"] for item in accounts} == {"usher-operate", "usher-serve", "usher-bot"}
    assert all(item["automountServiceAccountToken"] is False for item in accounts)


def test_operate_has_the_least_rights_in_the_namespace_of_the_bots_only() -> None:
    rights = {
        resource: rule["verbs"] for rule in named("Role", "usher-operate")["rules"] for resource in rule["resources"]
    }
    assert rights == {
        "botrequests": ["create", "delete", "get", "list", "watch"],
        "botrequests/status": ["patch"],
        "events": ["create", "list"],
        "jobs": ["create", "delete", "get", "list", "watch"],
        "pods": ["get", "list"],
        "pods/log": ["get"],
    }
    assert named("Role", "usher-operate")["metadata"]["namespace"] == "usher-bots"
    assert [item["kind"] for item in WRITTEN if item["kind"].startswith("ClusterRole")] == []


def test_operate_may_read_and_change_one_configmap_of_its_own_namespace() -> None:
    role = named("Role", "usher-operate-epoch")
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["usher-epoch"], "verbs": ["get", "patch"]}
    ]
    assert role["metadata"]["namespace"] == named("ConfigMap", "usher-epoch")["metadata"]["namespace"] == "usher-system"


def test_serve_may_create_botrequests_and_read_why_a_bot_was_terminated_and_nothing_else() -> None:
    role = named("Role", "usher-serve")
    assert role["rules"] == [
        {"apiGroups": ["usher.dev"], "resources": ["botrequests"], "verbs": ["create", "get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]},
    ]
    assert role["metadata"]["namespace"] == "usher-bots"


def test_bots_have_no_rights() -> None:
    bindings = [item for item in WRITTEN if item["kind"] == "RoleBinding"]
    assert {subject["name"] for item in bindings for subject in item["subjects"]} == {"usher-operate", "usher-serve"}


@pytest.mark.parametrize("part", ["operate", "serve"])
def test_no_part_of_usher_is_away_in_a_rollout_or_a_drain(part: str) -> None:
    spec = named("Deployment", f"usher-{part}")["spec"]
    assert (spec["replicas"], spec["strategy"]["rollingUpdate"]["maxUnavailable"]) == (2, 0)
    own = {f"app.kubernetes.io/{key}": value for key, value in (("name", "usher"), ("component", part))}
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["labelSelector"]["matchLabels"]) == ("kubernetes.io/hostname", own)
    budget = named("PodDisruptionBudget", f"usher-{part}")["spec"]
    assert (budget["maxUnavailable"], budget["selector"]["matchLabels"]) == (1, own)


@pytest.mark.parametrize(("name", "port"), [("usher-operate", "http-health"), ("usher-serve", "api")])
def test_the_probes_ask_at_a_port_that_is_open(name: str, port: str) -> None:
    (container,) = named("Deployment", name)["spec"]["template"]["spec"]["containers"]
    probes = [container[kind]["httpGet"] for kind in ("livenessProbe", "readinessProbe")]
    assert probes == [{"path": "/livez", "port": port}, {"path": "/readyz", "port": port}]
    assert port in [open_port["name"] for open_port in container["ports"]]


@pytest.mark.parametrize(("service", "port"), [("usher-api", 8080), ("usher-callbacks", 8081)])
def test_each_service_reaches_its_own_port_of_serve(service: str, port: int) -> None:
    (wanted,) = named("Service", service)["spec"]["ports"]
    (container,) = named("Deployment", "usher-serve")["spec"]["template"]["spec"]["containers"]
    ports = {open_port["name"]: open_port["containerPort"] for open_port in container["ports"]}
    assert (wanted["port"], ports[wanted["targetPort"]]) == (port, port)


@pytest.mark.parametrize("name", ["usher-system", "usher-bots"])
def test_both_namespaces_enforce_the_restricted_standard(name: str) -> None:
    assert named("Namespace", name)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_version_is_the_one_of_the_package(repository: Path) -> None:
    version = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]
    base = yaml.safe_load((MANIFESTS / "base" / "kustomization.yaml").read_text())
    assert base["images"] == [{"name": "usher.dev/operator", "newTag": version}]
    assert base["labels"][0]["pairs"]["app.kubernetes.io/version"] == version
    literals = base["configMapGenerator"][0]["literals"]
    assert f"USHER_BOT_IMAGE=usher.dev/bot:{version}" in literals
    assert f"USHER_BROWSER_IMAGE=usher.dev/bot-browser:{version}" in literals


@pytest.mark.timeout(30)
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_builds_with_exactly_its_images(build: Build, folder: str) -> None:
    workloads = [item for (kind, _), item in build(folder).items() if kind in ("Deployment", "StatefulSet")]
    assert {container["image"] for item in workloads for container in containers(item)} == IMAGES[folder]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_holds_the_definition_as_written(build: Build, folder: str, definition: dict[str, Any]) -> None:
    assert build(folder)["CustomResourceDefinition", "botrequests.usher.dev"]["spec"] == definition["spec"]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_object_carries_the_recommended_labels(build: Build, folder: str) -> None:
    objects = build(folder)
    for (kind, name), item in objects.items():
        labels = item["metadata"].get("labels", {})
        assert labels.get("app.kubernetes.io/part-of") == "usher", f"{kind} {name}"
        if kind in ("Deployment", "StatefulSet"):
            pod = item["spec"]["template"]["metadata"]["labels"]
            wanted = {f"app.kubernetes.io/{key}" for key in ("name", "instance", "component", "part-of", "managed-by")}
            assert wanted <= pod.keys() & labels.keys(), f"{kind} {name}"
            assert item["spec"]["selector"]["matchLabels"].items() <= pod.items(), f"{kind} {name}"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("folder", FOLDERS[1:])
def test_everything_that_an_overlay_refers_to_exists(build: Build, folder: str) -> None:
    objects = build(folder)
    namespaces = {name for kind, name in objects if kind == "Namespace"}
    assert {item["metadata"].get("namespace", "usher-system") for item in objects.values()} <= namespaces
    for (kind, _), item in objects.items():
        if kind not in ("Deployment", "StatefulSet"):
            continue
        sources = [source for container in containers(item) for source in container.get("envFrom", [])]
        assert all(
            ("ConfigMap", source["configMapRef"]["name"]) in objects for source in sources if "configMapRef" in source
        )
        assert all(("Secret", source["secretRef"]["name"]) in objects for source in sources if "secretRef" in source)
        account = item["spec"]["template"]["spec"].get("serviceAccountName")
        assert account is None or ("ServiceAccount", account) in objects


@pytest.mark.timeout(30)
@pytest.mark.parametrize("folder", FOLDERS[1:])
def test_an_overlay_keeps_the_settings_of_the_base_and_names_its_own_bot(build: Build, folder: str) -> None:
    base = build("manifests/base")["ConfigMap", "usher"]["data"]
    overlay = build(folder)["ConfigMap", "usher"]["data"]
    own = {"USHER_ALLOWED_IMAGES", "USHER_BOT_IMAGE", "USHER_BROWSER_IMAGE", "USHER_DEFAULT_DRIVER"}
    assert base.items() - overlay.items() <= {(name, base[name]) for name in own}
    assert overlay["USHER_BOT_IMAGE"] == "usher.dev/bot:dev"
    assert overlay["USHER_BROWSER_IMAGE"] == "usher.dev/bot-browser:dev"
    assert all(name.endswith("_S") for name in overlay.keys() - base.keys())


@pytest.mark.timeout(30)
@pytest.mark.parametrize("folder", FOLDERS[1:])
def test_the_settings_are_ones_that_usher_knows(build: Build, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = build(folder)
    given = objects["ConfigMap", "usher"]["data"] | {
        name: base64.b64decode(value).decode() for name, value in objects["Secret", "usher"]["data"].items()
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert {name.removeprefix("USHER_").lower() for name in given} <= set(type(settings).model_fields)
    assert (settings.api_port, settings.callback_port, settings.operate_port) == (8080, 8081, 8082)
    assert settings.drain_s + settings.shutdown_timeout_s < 60


def test_operate_leaves_a_lost_node_after_half_a_minute() -> None:
    pod = named("Deployment", "usher-operate")["spec"]["template"]["spec"]
    found = {each["key"].rpartition("/")[2]: each["tolerationSeconds"] for each in pod["tolerations"]}
    assert found == {"not-ready": 30, "unreachable": 30}
