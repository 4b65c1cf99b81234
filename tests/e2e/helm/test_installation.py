"""The chart's own tests pass where all others here run, and the API server takes every variant of the chart."""

import json
import subprocess
from typing import Any

import pytest
import yaml

from dev.demo.installation import CHART, helm
from dev.demo.kubectl import BOTS, ROOT, SYSTEM
from tests.e2e.kit import Cluster

# Kinds of the Prometheus operator, which is not there; their shape is tested without a cluster.
UNKNOWN_HERE = {"PrometheusRule", "ServiceMonitor"}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "everything": {
        "adminApi": {"enabled": True},
        "botNamespaces": [BOTS, "default"],
        "imagePullSecrets": [{"name": "pull"}],
        "serve": {"autoscaling": {"enabled": True}, "tolerations": [{"operator": "Exists"}]},
        "operate": {"affinity": {"nodeAffinity": {}}, "nodeSelector": {"a": "b"}},
        "networkPolicy": {"apiFrom": [{"podSelector": {}}], "metricsFrom": [{"namespaceSelector": {}}]},
        "prometheusRule": {"enabled": True},
        "serviceMonitor": {"enabled": True},
    },
    "external": {
        "postgresql": {"enabled": False},
        "externalDatabase": {"existingSecret": "db", "tls": {"mode": "verify-full", "caSecret": "ca"}},
        "redis": {"enabled": False},
        "externalRedis": {"existingSecret": "cache", "tls": {"caSecret": "ca"}},
    },
    "bare": {
        "crds": {"keep": False},
        "createBotNamespaces": False,
        "flowControl": {"enabled": False},
        "warnOfUnservedNamespaces": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "priorityClasses": {"enabled": False},
        "rbac": {"clusterRoles": False, "aggregate": False},
        "redis": {"enabled": False},
        "serve": {"podDisruptionBudget": {"enabled": False}},
    },
}


def test_helm_test_passes(cluster: Cluster) -> None:
    said = helm(cluster.kubectl, "test", "usher", "--namespace", SYSTEM, "--timeout", "150s")
    assert said.count("Phase:          Succeeded") >= 2
    assert "Failed" not in said


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_api_server_takes_every_object_and_knows_every_field(cluster: Cluster, variant: str) -> None:
    version = cluster.kubectl.json("version")["serverVersion"]["gitVersion"]
    argv = ["helm", "template", "other", str(CHART), "--namespace", SYSTEM, "--kube-version", version, "--values", "-"]
    values = json.dumps(VARIANTS[variant])
    done = subprocess.run(argv, input=values, env=cluster.kubectl.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _assert_taken(cluster, [item for item in yaml.safe_load_all(done.stdout) if item])


def test_a_botrequest_in_a_namespace_that_is_not_served_is_answered_with_a_warning(cluster: Cluster) -> None:
    body = cluster.a_bot(None).body() | {"metadata": {"name": "unserved", "namespace": "default"}}
    body["spec"]["userId"] = 1
    done = cluster.kubectl.attempt("apply", "--dry-run=server", "--filename", "-", stdin=json.dumps(body))
    assert done.returncode == 0
    assert "Usher does not serve the namespace default" in done.stderr
    assert f"It serves {BOTS}." in done.stderr
    body["metadata"]["namespace"] = BOTS
    served = cluster.kubectl.attempt("apply", "--dry-run=server", "--filename", "-", stdin=json.dumps(body))
    assert served.returncode == 0
    assert "Warning" not in served.stderr


def test_the_api_server_takes_what_kustomize_makes(cluster: Cluster) -> None:
    made = list(yaml.safe_load_all(cluster.kubectl("kustomize", str(ROOT / "manifests" / "overlays" / "local"))))
    # The chart has objects of the same names beside it, whose selectors differ and cannot be changed.
    for item in made:
        if item["metadata"].get("namespace") == SYSTEM:
            item["metadata"]["namespace"] = BOTS
    _assert_taken(cluster, made)


def _assert_taken(cluster: Cluster, objects: list[dict[str, Any]]) -> None:
    listed = [item for item in objects if item["kind"] not in UNKNOWN_HERE]
    for item in listed:
        if item["kind"] == "Pod":  # the account of a pod must be there already, and in a dry run it is not
            item["spec"].pop("serviceAccountName", None)
    how = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "--filename", "-")
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": listed})
    said = cluster.kubectl("apply", *how, stdin=body)
    assert len(said.splitlines()) == len(listed)
