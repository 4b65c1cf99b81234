"""The chart's NetworkPolicies, by what they mean: who may speak to whom, as a table. No traffic flows here."""

from typing import Any

import pytest

from tests.unit.helm.conftest import Objects, Render
from tests.unit.manifests.network_policies import Peer, passes


def own(component: str) -> Peer:
    """A pod of the release."""
    labels = {"name": "usher", "instance": "usher", "component": component}
    return Peer(namespace="usher-system", labels={f"app.kubernetes.io/{key}": value for key, value in labels.items()})


def a_bot(namespace: str) -> Peer:
    labels = {"app.kubernetes.io/name": "usher-bot", "app.kubernetes.io/managed-by": "usher"}
    return Peer(namespace=namespace, labels=labels)


OPERATE, SERVE, POSTGRES, REDIS = (own(part) for part in ("operate", "serve", "postgresql", "redis"))
MIGRATE, DRAIN, TEST = (own(part) for part in ("migrate", "drain", "test"))
BOT = a_bot("usher-bots")
DNS = Peer(namespace="kube-system", labels={"k8s-app": "kube-dns"})
OTHER = Peer(namespace="shop", labels={"app.kubernetes.io/name": "checkout"})
API_SERVER, METADATA, MEETING = (Peer(address=text) for text in ("10.96.0.1", "169.254.169.254", "142.250.1.1"))

ALLOWED = [
    ("a bot's callbacks", BOT, SERVE, 8081),
    ("a bot's commands", BOT, REDIS, 6379),
    ("a bot's names", BOT, DNS, 53),
    ("a bot's meeting", BOT, MEETING, 443),
    ("serve's rows", SERVE, POSTGRES, 5432),
    ("serve's commands", SERVE, REDIS, 6379),
    ("serve's requests", SERVE, API_SERVER, 443),
    ("a webhook", SERVE, MEETING, 443),
    ("operate's rows", OPERATE, POSTGRES, 5432),
    ("operate's users of Redis", OPERATE, REDIS, 6379),
    ("operate's watch", OPERATE, API_SERVER, 6443),
    ("a client", OTHER, SERVE, 8080),
    ("the drain's rows", DRAIN, POSTGRES, 5432),
    ("the drain's requests", DRAIN, API_SERVER, 443),
    ("the test of the callbacks", TEST, SERVE, 8081),
]
DENIED = [
    ("a bot at the API server", BOT, API_SERVER, 443),
    ("a bot at the metadata address", BOT, METADATA, 80),
    ("a bot at the database", BOT, POSTGRES, 5432),
    ("a bot at the public API", BOT, SERVE, 8080),
    ("a bot at operate", BOT, OPERATE, 8082),
    ("a bot at another bot", BOT, BOT, 8080),
    ("a bot at a service of others", BOT, OTHER, 80),
    ("a bot at a private address", BOT, Peer(address="192.168.1.7"), 22),
    ("a bot at a private IPv6 address", BOT, Peer(address="fd00::1"), 80),
    ("others at the callbacks", OTHER, SERVE, 8081),
    ("one who is called a bot elsewhere, at the callbacks", a_bot("shop"), SERVE, 8081),
    ("others at the database", OTHER, POSTGRES, 5432),
    ("others at Redis", OTHER, REDIS, 6379),
    ("others at a bot", OTHER, BOT, 80),
    ("serve at the metadata address", SERVE, METADATA, 80),
    ("serve at the metadata address by another port", SERVE, METADATA, 443),
    ("operate at the internet", OPERATE, MEETING, 80),
    ("the database at the internet", POSTGRES, MEETING, 443),
    ("Redis at the internet", REDIS, MEETING, 443),
]


def policies(objects: Objects) -> list[dict[str, Any]]:
    return [item for (kind, _), item in objects.items() if kind == "NetworkPolicy"]


@pytest.mark.parametrize(("_what", "source", "target", "port"), ALLOWED, ids=[row[0] for row in ALLOWED])
def test_what_the_work_needs_is_let_through(render: Render, _what: str, source: Peer, target: Peer, port: int) -> None:
    assert passes(policies(render()), source, target, port=port, protocol="UDP" if port == 53 else "TCP")


@pytest.mark.parametrize(("_what", "source", "target", "port"), DENIED, ids=[row[0] for row in DENIED])
def test_everything_else_is_not(render: Render, _what: str, source: Peer, target: Peer, port: int) -> None:
    assert not passes(policies(render()), source, target, port=port)


def test_an_external_database_and_redis_can_be_narrowed_down(render: Render) -> None:
    found = policies(
        render(
            postgresql={"enabled": False},
            externalDatabase={"existingSecret": "db"},
            redis={"enabled": False},
            externalRedis={"existingSecret": "cache"},
            networkPolicy={
                "externalDatabase": {"cidrs": ["192.0.2.10/32"]},
                "externalRedis": {"cidrs": ["192.0.2.11/32"]},
            },
        )
    )
    database, redis = Peer(address="192.0.2.10"), Peer(address="192.0.2.11")
    assert passes(found, SERVE, database, port=5432)
    assert passes(found, BOT, redis, port=6379)
    assert not passes(found, SERVE, Peer(address="10.0.0.9"), port=5432)
    assert not passes(found, BOT, Peer(address="10.0.0.9"), port=6379)
