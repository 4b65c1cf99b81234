"""What each ServiceAccount may do, by the API server's own word: exactly what is written in `rights/`, as data.

When a change is meant, renew the lists and read the difference in the commit:

    USHER_RENEW_SNAPSHOTS=1 PYTHONPATH=. .venv/bin/python -m pytest tests/e2e/security/test_rights.py
"""

import os
from pathlib import Path

import pytest

from dev.demo.kubectl import BOTS, SYSTEM
from tests.e2e.kit import Cluster

RIGHTS = Path(__file__).parent / "rights"
ACCOUNTS = [(SYSTEM, "usher-operate"), (SYSTEM, "usher-serve"), (BOTS, "usher-bot")]
NAMESPACES = (BOTS, SYSTEM, "kube-system")
# What the cluster itself grants to whoever is authenticated; it differs between clusters and says nothing of Usher.
EVERYBODY = ("system:serviceaccounts", "system:authenticated")


def rights(cluster: Cluster, *who: str, namespace: str) -> set[str]:
    """The lines of `kubectl auth can-i --list`."""
    said = cluster.kubectl("auth", "can-i", "--list", "--no-headers", "--namespace", namespace, *who)
    return {_sorted(" ".join(line.split())) for line in said.splitlines() if line.strip()}


def _sorted(line: str) -> str:
    """The line with its verbs in order: they come from several Roles, in an order that nobody promises."""
    what, _, verbs = line.removesuffix("]").rpartition("[")
    return f"{what}[{' '.join(sorted(verbs.split()))}]"


@pytest.mark.parametrize(("home", "account"), ACCOUNTS, ids=[account for _, account in ACCOUNTS])
def test_an_account_may_do_what_is_written_and_nothing_else(cluster: Cluster, home: str, account: str) -> None:
    groups = [f"--as-group={group}" for group in (*EVERYBODY, f"system:serviceaccounts:{home}")]
    own = f"--as=system:serviceaccount:{home}:{account}"
    anybody = ("--as=nobody", *(f"--as-group={group}" for group in EVERYBODY))
    found = "".join(
        f"# in {namespace}\n"
        + "".join(
            f"{line}\n"
            for line in sorted(
                rights(cluster, own, *groups, namespace=namespace) - rights(cluster, *anybody, namespace=namespace)
            )
        )
        for namespace in NAMESPACES
    )
    written = RIGHTS / f"{account}.txt"
    if os.environ.get("USHER_RENEW_SNAPSHOTS"):
        written.write_text(found)
    assert found == written.read_text()
