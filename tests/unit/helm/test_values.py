"""Each switch of the chart does what its comment says, and nothing else."""

import base64
import json
from typing import Any

import pytest

from dev.conference import chart_values
from dev.conference.settings import for_cluster
from tests.unit.helm.conftest import Objects, Render
from usher_operator.kube.drivers import BROWSER_RESOURCES
from usher_operator.settings.bot_class import BotClass

OWN_DATABASE: dict[str, Any] = {"postgresql": {"enabled": False}, "externalDatabase": {"existingSecret": "db"}}


def kinds(objects: Objects) -> set[str]:
    return {kind for kind, _ in objects}


def config(objects: Objects) -> dict[str, str]:
    found: dict[str, str] = objects["ConfigMap", "usher"]["data"]
    return found


def container(objects: Objects, part: str) -> dict[str, Any]:
    found: dict[str, Any] = objects["Deployment", f"usher-{part}"]["spec"]["template"]["spec"]["containers"][0]
    return found


def env(objects: Objects, part: str) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") or entry["valueFrom"] for entry in container(objects, part)["env"]}


def secret(name: str, key: str) -> dict[str, Any]:
    return {"secretKeyRef": {"name": name, "key": key}}


def test_by_default_all_of_it_is_there(render: Render) -> None:
    objects = render()
    assert objects["Deployment", "usher-operate"]["spec"]["replicas"] == 2
    assert objects["Deployment", "usher-serve"]["spec"]["replicas"] == 2
    assert kinds(objects) >= {
        "ClusterRole", "ConfigMap", "CustomResourceDefinition", "Deployment", "FlowSchema", "Namespace",
        "NetworkPolicy", "PodDisruptionBudget", "PriorityClass", "PriorityLevelConfiguration", "Role", "RoleBinding",
        "Secret", "Service", "ServiceAccount", "StatefulSet", "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }  # fmt: skip
    assert not kinds(objects) & {"HorizontalPodAutoscaler", "PrometheusRule", "ServiceMonitor"}


@pytest.mark.parametrize("part", ["operate", "serve"])
def test_a_part_is_spread_and_never_away_in_a_rollout_or_a_drain(render: Render, part: str) -> None:
    objects = render(**{part: {"replicas": 3}})
    spec = objects["Deployment", f"usher-{part}"]["spec"]
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert (spec["replicas"], spec["strategy"]) == (3, rolling)
    labels = spec["selector"]["matchLabels"]
    spread = spec["template"]["spec"]["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert all(each["labelSelector"]["matchLabels"] == labels for each in spread)
    budget = objects["PodDisruptionBudget", f"usher-{part}"]["spec"]
    assert (budget["maxUnavailable"], budget["selector"]["matchLabels"]) == (1, labels)
    assert labels["app.kubernetes.io/component"] == part


@pytest.mark.parametrize("part", ["operate", "serve"])
def test_a_part_is_spread_as_the_values_say(render: Render, part: str) -> None:
    own = {"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    values = {part: {"topologySpreadConstraints": [own], "podDisruptionBudget": {"maxUnavailable": "50%"}}}
    objects = render(**values)
    assert objects["Deployment", f"usher-{part}"]["spec"]["template"]["spec"]["topologySpreadConstraints"] == [own]
    assert objects["PodDisruptionBudget", f"usher-{part}"]["spec"]["maxUnavailable"] == "50%"


@pytest.mark.parametrize(
    ("values", "gone"),
    [
        ({"crds": {"enabled": False}}, "CustomResourceDefinition"),
        ({"createBotNamespaces": False}, "Namespace"),
        ({"networkPolicy": {"enabled": False}}, "NetworkPolicy"),
        ({"priorityClasses": {"enabled": False}}, "PriorityClass"),
        ({"warnOfUnservedNamespaces": {"enabled": False}}, "ValidatingAdmissionPolicy"),
        ({"flowControl": {"enabled": False}}, "FlowSchema"),
        ({"flowControl": {"enabled": False}}, "PriorityLevelConfiguration"),
        ({"rbac": {"clusterRoles": False, "aggregate": False}}, "ClusterRole"),
        ({part: {"podDisruptionBudget": {"enabled": False}} for part in ("operate", "serve")}, "PodDisruptionBudget"),
        (OWN_DATABASE | {"redis": {"enabled": False}}, "StatefulSet"),
    ],
)
def test_what_is_switched_off_is_gone(render: Render, values: dict[str, Any], gone: str) -> None:
    assert gone in kinds(render())
    assert gone not in kinds(render(**values))


@pytest.mark.parametrize(
    ("values", "there"),
    [
        ({"serve": {"autoscaling": {"enabled": True}}}, "HorizontalPodAutoscaler"),
        ({"serviceMonitor": {"enabled": True}}, "ServiceMonitor"),
        ({"prometheusRule": {"enabled": True}}, "PrometheusRule"),
    ],
)
def test_what_is_switched_on_is_there(render: Render, values: dict[str, Any], there: str) -> None:
    assert there in kinds(render(**values))


@pytest.mark.parametrize(
    ("feature", "setting", "default"),
    [
        ("staleChecks", "USHER_STALE_CHECKS_ENABLED", True),
        ("webhooks", "USHER_WEBHOOKS_ENABLED", True),
        ("restApi", "USHER_API_ENABLED", True),
        ("legacyStatuses", "USHER_LEGACY_STATUSES", False),
    ],
)
def test_a_feature_is_a_setting(render: Render, feature: str, setting: str, default: bool) -> None:
    assert config(render())[setting] == str(default).lower()
    assert config(render(features={feature: not default}))[setting] == str(not default).lower()


def test_without_webhooks_serve_reaches_nothing_outside(render: Render) -> None:
    def outside(objects: Objects) -> list[Any]:
        rules = objects["NetworkPolicy", "usher-serve"]["spec"]["egress"]
        return [rule for rule in rules if "ports" not in rule]

    assert outside(render())
    assert not outside(render(features={"webhooks": False}))


def test_the_definition_is_kept_unless_told_otherwise(render: Render) -> None:
    kept = {"helm.sh/resource-policy": "keep"}
    definition = ("CustomResourceDefinition", "botrequests.usher.dev")
    assert render()[definition]["metadata"]["annotations"] == kept
    assert "annotations" not in render(crds={"keep": False})[definition]["metadata"]


def test_credentials_come_from_secrets_only(render: Render) -> None:
    objects = render(adminApi={"enabled": True})
    assert env(objects, "operate") | {"POD_ID": None} == {
        "USHER_DATABASE_URL": secret("usher-postgresql", "url"),
        "USHER_REDIS_URL": secret("usher-redis", "operate-url"),
        "USHER_BOT_REDIS_SECRET": secret("usher-redis", "bot-secret"),
        "POD_ID": None,
    }
    assert env(objects, "serve") == {
        "USHER_DATABASE_URL": secret("usher-postgresql", "url"),
        "USHER_REDIS_URL": secret("usher-redis", "url"),
        "USHER_ADMIN_API_KEY": secret("usher-admin", "admin-api-key"),
    }
    assert not [name for name in config(objects) if "URL" in name and name != "USHER_CALLBACK_URL"]


def test_every_credential_can_be_a_secret_of_ones_own(render: Render) -> None:
    objects = render(
        **OWN_DATABASE,
        redis={"enabled": False},
        externalRedis={"existingSecret": "cache", "operateUrlKey": "operate", "botSecretKey": "bots"},
        adminApi={"enabled": True, "existingSecret": "keys", "key": "admin"},
    )
    assert env(objects, "serve") == {
        "USHER_DATABASE_URL": secret("db", "url"),
        "USHER_REDIS_URL": secret("cache", "url"),
        "USHER_ADMIN_API_KEY": secret("keys", "admin"),
    }
    told = env(objects, "operate")
    assert told["USHER_REDIS_URL"] == secret("cache", "operate")
    assert told["USHER_BOT_REDIS_SECRET"] == secret("cache", "bots")
    assert "Secret" not in kinds(objects)


def test_without_any_redis_nobody_is_told_of_one(render: Render) -> None:
    objects = render(redis={"enabled": False})
    for part in ("operate", "serve"):
        assert not [name for name in env(objects, part) if "REDIS" in name]


def test_tls_to_the_database_is_checked_against_ones_own_authority(render: Render) -> None:
    database = {"existingSecret": "db", "tls": {"mode": "verify-full", "caSecret": "ca"}}
    objects = render(postgresql={"enabled": False}, externalDatabase=database)
    for part in ("operate", "serve"):
        told = env(objects, part)
        assert (told["PGSSLMODE"], told["PGSSLROOTCERT"]) == ("verify-full", "/etc/usher/database/ca.crt")
        mounts = [mount["mountPath"] for mount in container(objects, part)["volumeMounts"]]
        assert "/etc/usher/database" in mounts


def test_an_external_database_is_migrated_before_anything_else_is_touched(render: Render) -> None:
    assert ("Job", "usher-migrate") not in render()
    hook = render(**OWN_DATABASE)["Job", "usher-migrate"]
    assert hook["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert ("Job", "usher-migrate") not in render(**OWN_DATABASE, hooks={"migrate": {"enabled": False}})


def test_the_drain_comes_before_the_removal_and_can_be_left_out(render: Render) -> None:
    assert render()["Job", "usher-drain"]["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    assert ("Job", "usher-drain") not in render(hooks={"drain": {"enabled": False}})


def test_each_namespace_of_bots_has_its_own_rights_and_nothing_is_granted_beyond_them(render: Render) -> None:
    objects = render(botNamespaces=["bots-a", "bots-b"])
    roles = [item for (kind, _), item in objects.items() if kind == "Role"]
    own = objects["Role", "usher-operate-epoch"]
    assert {role["metadata"]["namespace"] for role in roles if role is not own} <= {"bots-a", "bots-b"}
    assert "ClusterRoleBinding" not in kinds(objects)
    assert config(objects)["USHER_NAMESPACES"] == "bots-a,bots-b"


def test_operate_may_read_and_change_the_one_configmap_that_it_is_told_of(render: Render) -> None:
    objects = render()
    (rule,) = objects["Role", "usher-operate-epoch"]["rules"]
    assert rule["verbs"] == ["get", "patch"]
    assert rule["resourceNames"] == [config(objects)["USHER_EPOCH_CONFIG_MAP"]]
    assert "data" not in objects["ConfigMap", rule["resourceNames"][0]]


def test_verbs_are_in_alphabetical_order_and_no_right_is_a_wildcard(render: Render) -> None:
    for (kind, _), item in render().items():
        for rule in item["rules"] if kind in ("Role", "ClusterRole") else []:
            assert rule["verbs"] == sorted(rule["verbs"])
            assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]


@pytest.mark.parametrize("part", ["operate", "serve"])
def test_pods_take_the_knobs_of_their_part(render: Render, part: str) -> None:
    knobs: dict[str, Any] = {
        "extraEnv": [{"name": "A", "value": "b"}],
        "extraVolumes": [{"name": "v", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}],
        "podAnnotations": {"a": "b"},
        "podLabels": {"l": "m"},
        "nodeSelector": {"n": "o"},
        "tolerations": [{"key": "t", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "terminationGracePeriodSeconds": 99,
    }
    objects = render(**{part: knobs}, imagePullSecrets=[{"name": "pull"}])
    template = objects["Deployment", f"usher-{part}"]["spec"]["template"]
    pod = template["spec"]
    assert {"name": "A", "value": "b"} in pod["containers"][0]["env"]
    assert {"name": "v", "mountPath": "/v"} in pod["containers"][0]["volumeMounts"]
    assert {"name": "v", "emptyDir": {}} in pod["volumes"]
    assert template["metadata"]["annotations"]["a"] == "b"
    assert template["metadata"]["labels"]["l"] == "m"
    for knob in ("nodeSelector", "tolerations", "affinity", "terminationGracePeriodSeconds"):
        assert pod[knob] == knobs[knob]
    assert pod["imagePullSecrets"] == [{"name": "pull"}]


def test_what_bots_need_is_one_document_for_the_operator(render: Render) -> None:
    bot: dict[str, Any] = {
        "env": [{"name": "REDIS_URL", "valueFrom": {"secretKeyRef": {"name": "vexa", "key": "redis"}}}],
        "envFrom": [{"secretRef": {"name": "vexa-bot"}}],
        "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "4Gi"}},
        "shmSize": "2Gi",
        "runAsUser": 1000,
        "volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}],
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
        "exec": {"silenceSeconds": 0, "noOneJoinedSeconds": 300, "config": {"recordingEnabled": True}},
        "nodeSelector": {"pool": "bots"},
        "tolerations": [{"key": "bots", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
    }
    document = config(render(bot=bot))["USHER_BOT_CLASS"]
    assert json.loads(document) == bot
    assert BotClass.model_validate_json(document).exec.options()["silence_s"] == 0
    assert "USHER_BOT_CLASS" not in config(render())


def test_services_of_vexa_are_told_by_secrets_and_get_rights_only_when_they_are_there(render: Render) -> None:
    assert "&bm:meeting:*" not in redis_users(render())
    assert "user vexa" not in redis_users(render())
    objects = render(
        vexa={
            "gateway": {"existingSecret": "gate"},
            "meetingToken": {"existingSecret": "admin"},
            "botTranscripts": True,
        }
    )
    assert env(objects, "serve")["USHER_GATEWAY_SECRET"] == secret("gate", "internal-api-secret")
    assert env(objects, "operate")["USHER_MEETING_TOKEN_SECRET"] == secret("admin", "admin-token")
    assert config(objects)["USHER_BOT_REDIS_TRANSCRIPTS"] == "true"
    (serve,) = [line for line in redis_users(objects).splitlines() if line.startswith("user usher-serve")]
    assert "&bot_commands:* &bm:meeting:* &u:* -@all" in serve
    assert "user vexa on" in redis_users(objects)


def test_transcripts_fill_redis_up_to_a_bound_below_its_limit(render: Render) -> None:
    pod = render(redis={"maxMemory": "100mb"})["StatefulSet", "usher-redis"]["spec"]["template"]["spec"]
    (redis,) = pod["containers"]
    assert redis["args"][-4:] == ["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"]


def redis_users(objects: Objects) -> str:
    return base64.b64decode(objects["Secret", "usher-redis"]["data"]["users.acl"]).decode()


def test_others_reach_the_charts_redis_only_where_they_are_named(render: Render) -> None:
    peer = {"namespaceSelector": {"matchLabels": {"team": "vexa"}}}

    def reached_from(objects: Objects) -> Any:
        return objects["NetworkPolicy", "usher-redis"]["spec"]["ingress"][0]["from"]

    assert peer not in reached_from(render())
    assert peer in reached_from(render(networkPolicy={"redisFrom": [peer]}))


def test_extra_objects_are_installed_too(render: Render) -> None:
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: '{{ .Release.Name }}-text'}}"
    objects = render(extraObjects=[extra, text])
    assert {("ConfigMap", "mine"), ("ConfigMap", "usher-text")} <= set(objects)


def test_a_changed_setting_restarts_the_pods_and_nothing_else_does(render: Render) -> None:
    def annotations(**values: Any) -> Any:
        return render(**values)["Deployment", "usher-operate"]["spec"]["template"]["metadata"]["annotations"]

    assert annotations() == annotations(serve={"replicas": 3})
    assert annotations() != annotations(settings={"USHER_RECONCILE_INTERVAL_S": 5})


def test_metrics_are_scraped_on_ports_of_their_own(render: Render) -> None:
    objects = render(serviceMonitor={"enabled": True})
    (rule,) = objects["ServiceMonitor", "usher"]["spec"]["selector"]["matchExpressions"]
    scraped = {
        body["metadata"]["labels"]["app.kubernetes.io/component"]: [port["port"] for port in body["spec"]["ports"]]
        for (kind, _), body in objects.items()
        if kind == "Service"
    }
    assert {component: scraped[component] for component in rule["values"]} == {
        "operate": [8082],
        "serve-metrics": [8083],
    }


def test_behind_a_pooler_the_url_of_postgres_itself_is_a_secret_too(render: Render) -> None:
    own = {"externalDatabase": OWN_DATABASE["externalDatabase"] | {"sessionUrlKey": "direct"}}
    objects = render(**OWN_DATABASE | own, settings={"USHER_DATABASE_POOLER": "transaction"})
    for process in ("operate", "serve"):
        assert env(objects, process)["USHER_DATABASE_SESSION_URL"] == secret("db", "direct")
    assert config(objects)["USHER_DATABASE_POOLER"] == "transaction"


def test_a_bot_is_a_browser_unless_the_values_say_otherwise(render: Render) -> None:
    plain = config(render())
    assert plain["USHER_DEFAULT_DRIVER"] == "browser"
    assert plain["USHER_BROWSER_IMAGE"].startswith("usher.dev/bot-browser:")
    assert json.loads(plain["USHER_BROWSER_RESOURCES"]) == BROWSER_RESOURCES
    assert not {"USHER_BROWSER_OPTIONS", "USHER_BROWSER_SECCOMP_PROFILE"} & plain.keys()


def test_the_values_of_the_browser_reach_the_operator(render: Render) -> None:
    browser = {
        "image": {"digest": f"sha256:{'0' * 64}"},
        "options": {"silence_s": 600},
        "resources": {"limits": {"memory": "2Gi"}},
        "seccompProfile": "usher/chromium.json",
    }
    found = config(render(bot={"browser": browser}))
    assert found["USHER_BROWSER_IMAGE"] == f"usher.dev/bot-browser@sha256:{'0' * 64}"
    assert json.loads(found["USHER_BROWSER_OPTIONS"]) == {"silence_s": 600}
    assert json.loads(found["USHER_BROWSER_RESOURCES"])["limits"]["memory"] == "2Gi"
    assert found["USHER_BROWSER_SECCOMP_PROFILE"] == "usher/chromium.json"


def test_the_chart_takes_the_values_of_the_conference(render: Render) -> None:
    objects = render(**chart_values.values(for_cluster(), pin="q" * 43 + "="))
    bots = objects["NetworkPolicy", "usher-bot"]
    peers = [peer.get("ipBlock") for rule in bots["spec"]["egress"] for peer in rule["to"]]
    assert {"cidr": "10.244.0.1/32"} in peers
    assert config(objects)["USHER_ALLOWED_PRIVATE_MEETING_HOSTS"] == chart_values.HOST


def test_operate_leaves_a_lost_node_after_half_a_minute(render: Render) -> None:
    pod = render()["Deployment", "usher-operate"]["spec"]["template"]["spec"]
    found = {each["key"].rpartition("/")[2]: each["tolerationSeconds"] for each in pod["tolerations"]}
    assert found == {"not-ready": 30, "unreachable": 30}


def test_whoever_may_view_a_namespace_sees_no_passcode_unless_it_is_wanted(render: Render) -> None:
    roles = [item for (kind, _), item in render().items() if kind == "ClusterRole"]
    assert roles
    assert not any("aggregate-to" in label for role in roles for label in role["metadata"].get("labels", {}))
