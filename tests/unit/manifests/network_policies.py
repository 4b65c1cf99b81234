"""What NetworkPolicies mean: a small evaluator of networking.k8s.io/v1, pure, for tests.

Source of the rules: Kubernetes, "Network Policies": policies add up; a pod that none selects in a direction is open in
it; traffic passes when the source's egress and the target's ingress both let it. What it does not know it refuses.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Json = Mapping[str, Any]
KNOWN = {"namespaceSelector", "podSelector", "ipBlock"}


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One end: a pod with labels in a namespace, or an address outside the cluster."""

    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = "10.244.0.99"


def passes(policies: Iterable[Json], source: Peer, target: Peer, *, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection from one to the other is let through."""
    known = list(policies)
    return _direction(known, "Egress", own=source, other=target, port=port, protocol=protocol) and _direction(
        known, "Ingress", own=target, other=source, port=port, protocol=protocol
    )


def _direction(policies: list[Json], kind: str, *, own: Peer, other: Peer, port: int, protocol: str) -> bool:
    mine = [policy for policy in policies if kind in policy["spec"]["policyTypes"] and _selects(policy, own)]
    if not mine:
        return True
    side = "to" if kind == "Egress" else "from"
    return any(
        _peer(policy, rule.get(side), other) and _port(rule.get("ports"), port, protocol)
        for policy in mine
        for rule in policy["spec"].get(kind.lower(), [])
    )


def _selects(policy: Json, pod: Peer) -> bool:
    return pod.namespace == policy["metadata"]["namespace"] and _matches(policy["spec"]["podSelector"], pod.labels)


def _matches(selector: Json, labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels", "matchExpressions"}, f"This evaluator does not know {set(selector)}."
    wanted = dict(selector.get("matchLabels", {})).items() <= labels.items()
    return wanted and all(_holds(expression, labels) for expression in selector.get("matchExpressions", []))


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    assert expression["operator"] == "In", f"This evaluator does not know {expression['operator']}."
    return labels.get(expression["key"]) in expression["values"]


def _port(ports: list[Json] | None, port: int, protocol: str) -> bool:
    return not ports or any(each["port"] == port and each.get("protocol", "TCP") == protocol for each in ports)


def _peer(policy: Json, peers: list[Json] | None, other: Peer) -> bool:
    return not peers or any(_one(policy, peer, other) for peer in peers)


def _one(policy: Json, peer: Json, other: Peer) -> bool:
    assert set(peer) <= KNOWN, f"This evaluator does not know {set(peer) - KNOWN}."
    if "ipBlock" in peer:
        return _within(peer["ipBlock"], other.address)
    if other.namespace is None:
        return False
    named = {"kubernetes.io/metadata.name": other.namespace}
    where = peer.get("namespaceSelector")
    here = other.namespace == policy["metadata"]["namespace"] if where is None else _matches(where, named)
    return here and _matches(peer.get("podSelector", {}), other.labels)


def _within(block: Json, address: str) -> bool:
    found, inside = ip_address(address), ip_network(block["cidr"])
    excepted = [ip_network(each) for each in block.get("except", [])]
    return found.version == inside.version and found in inside and not any(found in each for each in excepted)
