"""The NetworkPolicies, by what they mean: who may speak to whom, as a table. No traffic flows here."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.manifests.network_policies import Peer, passes

FOLDER = Path(__file__).resolve().parents[3] / "manifests" / "components" / "network-policies"
POLICIES: list[dict[str, Any]] = [
    item
    for path in sorted(FOLDER.glob("*.yaml"))
    for item in yaml.safe_load_all(path.read_text())
    if item["kind"] == "NetworkPolicy"
]


def pod(namespace: str, name: str, component: str = "") -> Peer:
    labels = {"app.kubernetes.io/name": name, "k8s-app": name}
    return Peer(namespace=namespace, labels=labels | ({"app.kubernetes.io/component": component} if component else {}))


def address(text: str) -> Peer:
    return Peer(address=text)


BOT = pod("usher-bots", "usher-bot", "bot")
SERVE = pod("usher-system", "usher", "serve")
OPERATE = pod("usher-system", "usher", "operate")
POSTGRES = pod("usher-system", "postgres", "database")
REDIS = pod("usher-system", "redis", "commands")
DNS = pod("kube-system", "kube-dns")
OTHER = pod("shop", "checkout")
INGRESS = pod("ingress-nginx", "ingress-nginx")
PRETENDER = pod("shop", "usher-bot", "bot")
API_SERVER = address("10.0.0.10")
METADATA = address("169.254.169.254")
MEETING = address("142.250.1.1")
MEETING_BY_IPV6 = address("2a00:1450::1")

ALLOWED = [
    ("a bot's callbacks", BOT, SERVE, 8081),
    ("a bot's commands", BOT, REDIS, 6379),
    ("a bot's names", BOT, DNS, 53),
    ("a bot's meeting", BOT, MEETING, 443),
    ("a bot's media", BOT, MEETING, 19305),
    ("a bot's meeting by IPv6", BOT, MEETING_BY_IPV6, 443),
    ("serve's rows", SERVE, POSTGRES, 5432),
    ("serve's commands", SERVE, REDIS, 6379),
    ("serve's requests", SERVE, API_SERVER, 6443),
    ("a webhook", SERVE, MEETING, 443),
    ("operate's rows", OPERATE, POSTGRES, 5432),
    ("operate's Redis users", OPERATE, REDIS, 6379),
    ("operate's watch", OPERATE, API_SERVER, 443),
    ("a client", INGRESS, SERVE, 8080),
]
DENIED = [
    ("a bot at the API server", BOT, API_SERVER, 6443),
    ("a bot at the API server's Service", BOT, address("10.96.0.1"), 443),
    ("a bot at the metadata address", BOT, METADATA, 80),
    ("a bot at the database", BOT, POSTGRES, 5432),
    ("a bot at the public API", BOT, SERVE, 8080),
    ("a bot at operate", BOT, OPERATE, 8082),
    ("a bot at another bot", BOT, BOT, 8080),
    ("a bot at a service of others", BOT, OTHER, 80),
    ("a bot at the nodes' network", BOT, address("192.168.1.7"), 22),
    ("a bot at a private IPv6 address", BOT, address("fd00::1"), 80),
    ("a bot at a link-local IPv6 address", BOT, address("fe80::1"), 80),
    ("a bot at Redis on another port", BOT, REDIS, 22),
    ("others at the callbacks", OTHER, SERVE, 8081),
    ("a client at the callbacks", INGRESS, SERVE, 8081),
    ("one who is called a bot elsewhere, at the callbacks", PRETENDER, SERVE, 8081),
    ("one who is called a bot elsewhere, at Redis", PRETENDER, REDIS, 6379),
    ("others at the database", OTHER, POSTGRES, 5432),
    ("others at Redis", OTHER, REDIS, 6379),
    ("others at a bot", OTHER, BOT, 80),
    ("serve at the metadata address", SERVE, METADATA, 80),
    ("serve at the metadata address by its other port", SERVE, METADATA, 443),
    ("operate at the metadata address", OPERATE, METADATA, 80),
    ("serve at a service of others", SERVE, OTHER, 80),
    ("the database at the internet", POSTGRES, MEETING, 443),
    ("Redis at the internet", REDIS, MEETING, 443),
]


@pytest.mark.parametrize(("_what", "source", "target", "port"), ALLOWED, ids=[row[0] for row in ALLOWED])
def test_what_the_work_needs_is_let_through(_what: str, source: Peer, target: Peer, port: int) -> None:
    assert passes(POLICIES, source, target, port=port, protocol="UDP" if port in (53, 19305) else "TCP")


@pytest.mark.parametrize(("_what", "source", "target", "port"), DENIED, ids=[row[0] for row in DENIED])
def test_everything_else_is_not(_what: str, source: Peer, target: Peer, port: int) -> None:
    assert not passes(POLICIES, source, target, port=port)


def test_without_policies_everything_passes_so_the_refusals_are_theirs() -> None:
    assert all(passes([], source, target, port=port) for _, source, target, port in DENIED)
