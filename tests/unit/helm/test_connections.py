"""The connection budget: all pools together stay below what Postgres takes, in every shape the chart allows."""

from typing import Any

import pytest

from tests.unit.helm.conftest import Objects, Render

# Postgres keeps these for its superuser; the rest of what is spared is for people (docs/howto/scale.md).
RESERVED_BY_POSTGRES = 3
# What `usher` opens at the command line, in hooks and in tests (usher_operator/console.py).
POOL_OF_A_TOOL = 2


def connections(objects: Objects) -> int:
    """The most that the rendered objects open at once: each Deployment's pods, those of a rollout included."""
    pool = int(objects["ConfigMap", "usher"]["data"]["USHER_DATABASE_POOL_SIZE"])
    pods = 0
    for (kind, name), item in objects.items():
        if kind == "Deployment":
            scaler = objects.get(("HorizontalPodAutoscaler", name), {}).get("spec", {})
            surge = item["spec"]["strategy"].get("rollingUpdate", {}).get("maxSurge", 0)
            pods += scaler.get("maxReplicas") or item["spec"]["replicas"]
            pods += surge
    tools = sum(kind in ("Job", "Pod") for kind, _ in objects)
    return pods * pool + tools * POOL_OF_A_TOOL


def max_connections(objects: Objects) -> int:
    (postgres,) = objects["StatefulSet", "usher-postgresql"]["spec"]["template"]["spec"]["containers"]
    (told,) = [word for word in postgres["args"] if word.startswith("max_connections=")]
    return int(told.partition("=")[2])


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"serve": {"replicas": 10}},
        {"operate": {"replicas": 3}},
        {"serve": {"autoscaling": {"enabled": True, "maxReplicas": 14}}},
        {"database": {"poolSize": 30}},
    ],
    ids=str,
)
def test_the_sum_of_all_pools_is_below_max_connections(render: Render, values: dict[str, Any]) -> None:
    objects = render(**values)
    assert connections(objects) + RESERVED_BY_POSTGRES < max_connections(objects)


def test_the_default_is_what_the_page_on_sizing_says(render: Render) -> None:
    assert connections(render()) == 66
