"""One release's life: installed from the previous commit's chart, upgraded and rolled back under twenty bots, removed.

It is a second release beside the one that the other tests use: with namespaces of its own, a database of its own on the
same Postgres (an external one, seen from here, so the migration runs as a hook and the rows outlive the release), and a
Redis of the chart's.
"""

import base64
import io
import json
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.demo.installation import CHART, VALUES, helm
from dev.demo.kubectl import ROOT
from dev.demo.kubectl import SYSTEM as FIRST
from tests.e2e.kit import Cluster, Record, eventually

RELEASE = "second"
FULL = "second-usher"
SYSTEM = "usher-second"
BOTS = "usher-second-bots"
DATABASE = "second"
COUNT = 20
# helm waits for pods, and the bots' own time to leave is a part of a removal.
SOON = "180s"
REMOVED_WITHIN_S = 120

# A life as the bot told it, callback by callback: nothing was lost, and nobody else had to step in.
TOLD_BY_THE_BOT = [("starting", "bot"), ("active", "bot"), ("stopping", "bot"), ("completed", "bot")]


class Release:
    """The second release, its bots and its rows."""

    def __init__(self, cluster: Cluster, previous: Path) -> None:
        self.cluster = cluster
        self.previous = previous
        self.kubectl = cluster.kubectl

    def upgrade(self, chart: Path, *, revision: str) -> None:
        """Install or upgrade. The annotation replaces every pod of Usher, however alike the charts are."""
        values = ["development.yaml", "local.yaml", "short-clocks.yaml"]
        named = [word for name in values for word in ("--values", str(VALUES / name))]
        own: dict[str, Any] = {
            "botNamespaces": [BOTS],
            "crds": {"enabled": False},
            "postgresql": {"enabled": False},
            "externalDatabase": {"existingSecret": "database"},
            "rbac": {"aggregate": False},
            "operate": {"podAnnotations": {"revision": revision}},
            "serve": {"podAnnotations": {"revision": revision}},
        }
        sets = [word for key, value in own.items() for word in ("--set-json", f"{key}={json.dumps(value)}")]
        how = ("--install", "--create-namespace", "--wait", "--timeout", SOON, "--namespace", SYSTEM)
        helm(self.kubectl, "upgrade", RELEASE, str(chart), *how, *named, *sets)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query finds in the release's database."""
        wrapped = f"SELECT coalesce(json_agg(found), '[]') FROM ({query}) AS found"
        found: list[dict[str, Any]] = json.loads(self._psql(DATABASE, wrapped))
        return found

    def in_meetings(self) -> int:
        """How many bots are in their meetings, by the database."""
        (found,) = self.rows("SELECT count(*) AS n FROM meetings WHERE status = 'active'")
        return int(found["n"])

    def apply(self, names: list[str]) -> None:
        """Ask for bots of a user who may have that many."""
        serve = (f"deploy/{FULL}-serve", "--container", "serve", "--", "usher")
        user = self.kubectl("--namespace", SYSTEM, "exec", *serve, "user", "add", "all@example.com", "-n", "50")
        items = [_request(name, user_id=int(user)) for name in names]
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        self.kubectl("--namespace", BOTS, "apply", "--filename", "-", stdin=listed)

    def usher_pods(self) -> set[str]:
        """The pods of operate and serve, by their uids."""
        selector = "app.kubernetes.io/component in (operate, serve)"
        pods = self.kubectl.json("--namespace", SYSTEM, "get", "pods", "--selector", selector)["items"]
        return {pod["metadata"]["uid"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}

    def all_beat(self) -> None:
        """Wait until every bot in a meeting has sent a heartbeat from now on."""
        (now,) = self.rows("SELECT now()::text AS at")
        since = f"SELECT count(*) AS n FROM usher.heartbeats WHERE at > '{now['at']}'"
        eventually("a heartbeat of each bot", lambda: self.rows(since)[0]["n"] == COUNT, within=40)

    def _psql(self, database: str, command: str) -> str:
        psql = ("psql", "--username", "usher", "--dbname", database, "--no-psqlrc", "-qAtc", command)
        return self.kubectl("--namespace", FIRST, "exec", "statefulset/usher-postgresql", "--", *psql)

    def prepare(self) -> None:
        """The database and the Secret that names it."""
        self.remove()
        self._psql("usher", f"CREATE DATABASE {DATABASE}")
        url = self.cluster.secret("usher-postgresql", "url").rpartition("/")[0] + f"/{DATABASE}"
        self.kubectl("create", "namespace", SYSTEM)
        data = {"url": base64.b64encode(url.encode()).decode()}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}, "data": data}
        self.kubectl("--namespace", SYSTEM, "apply", "--filename", "-", stdin=json.dumps(secret))
        self.kubectl("--namespace", FIRST, "apply", "--filename", "-", stdin=json.dumps(_let_in()))

    def remove(self) -> None:
        """Whatever is left of it, also of an earlier run's."""
        found = helm(self.kubectl, "list", "--namespace", SYSTEM, "--all", "--short").split()
        if RELEASE in found:
            helm(self.kubectl, "uninstall", RELEASE, "--namespace", SYSTEM, "--no-hooks", "--wait", "--timeout", SOON)
        self.kubectl("delete", "namespace", SYSTEM, BOTS, "--ignore-not-found", "--timeout", "90s")
        self.kubectl("--namespace", FIRST, "delete", "networkpolicy", RELEASE, "--ignore-not-found")
        self._psql("usher", f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


def _let_in() -> dict[str, Any]:
    """The first release's Postgres is another team's here, who let this one in."""
    ours = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SYSTEM}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": RELEASE},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/component": "postgresql"}},
            "ingress": [{"from": [ours], "ports": [{"protocol": "TCP", "port": 5432}]}],
        },
    }


@pytest.fixture
def release(cluster: Cluster, tmp_path: Path) -> Iterator[Release]:
    """The second release before it is installed."""
    release = Release(cluster, _previous_chart(tmp_path))
    release.prepare()
    yield release
    release.remove()


def _previous_chart(folder: Path) -> Path:
    """The chart of the commit before the newest one; the newest's where that one had none."""
    for commit in ("HEAD~1", "HEAD"):
        argv = ["git", "archive", commit, "helm/usher"]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, check=False)
        if done.returncode == 0:
            with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
                archive.extractall(folder, filter="data")
            return folder / "helm" / "usher"
    raise AssertionError(f"git finds no chart in the last two commits: {done.stderr.decode()}")


def _request(name: str, *, user_id: int) -> dict[str, Any]:
    simulation = {"bootSeconds": 0, "lobbySeconds": 0, "meetingSeconds": 3600, "leaveSeconds": 0}
    return {
        "apiVersion": "usher.dev/v1alpha1",
        "kind": "BotRequest",
        "metadata": {"name": name},
        "spec": {
            "userId": user_id,
            "platform": "jitsi",
            "nativeMeetingId": name,
            "driver": "simulated",
            "simulation": simulation,
            # The pods of a rollout come before bots: on a full node they would preempt some.
            "resources": {"requests": {"cpu": "5m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        },
    }


@pytest.mark.timeout(420, func_only=True)
def test_bots_live_through_an_upgrade_a_rollback_and_leave_before_the_removal(
    release: Release, record_property: Record
) -> None:
    release.upgrade(release.previous, revision="previous")
    release.apply([f"meeting-{number}" for number in range(COUNT)])
    eventually("all bots to be in their meetings", lambda: release.in_meetings() == COUNT, within=120)
    for change in ("upgrade", "rollback"):
        before, began = release.usher_pods(), time.monotonic()
        if change == "upgrade":
            release.upgrade(CHART, revision="current")
        else:
            helm(release.kubectl, "rollback", RELEASE, "--namespace", SYSTEM, "--wait", "--timeout", SOON)
        record_property(f"{change}, s", f"{time.monotonic() - began:.1f}")
        assert not before & release.usher_pods(), f"The {change} left pods as they were, so it proved nothing."
        release.all_beat()
        assert release.in_meetings() == COUNT
    names = [f"meeting-{number}" for number in range(COUNT)]
    leave = json.dumps({"spec": {"desiredState": "Left"}})
    for name in names[: COUNT // 2]:
        release.kubectl("--namespace", BOTS, "patch", "br", name, "--type", "merge", "--patch", leave)
    eventually("half the bots to have left", lambda: release.in_meetings() == COUNT // 2, within=60)
    began = time.monotonic()
    helm(release.kubectl, "uninstall", RELEASE, "--namespace", SYSTEM, "--wait", "--timeout", SOON)
    took = time.monotonic() - began
    record_property("removal with ten live bots, s", f"{took:.1f}")
    assert took < REMOVED_WITHIN_S
    left = release.kubectl("--namespace", BOTS, "get", "botrequests", "--output", "name").split()
    assert left == [f"botrequest.usher.dev/{name}" for name in sorted(names[: COUNT // 2])], "what had ended stays"
    for field in (".status.active", ".status.phase"):
        kind = "jobs" if field == ".status.active" else "pods"
        shown = release.kubectl("--namespace", BOTS, "get", kind, "--output", f"jsonpath={{.items[*]{field}}}")
        assert set(shown.split()) <= {"Succeeded", "Failed"}, f"{kind}: {shown}"
    _assert_all_completed(release)


def _assert_all_completed(release: Release) -> None:
    told = release.rows(
        "SELECT meeting_id, json_agg(json_build_array(to_status, source) ORDER BY seq) AS story"
        " FROM usher.transitions WHERE from_status IS NOT NULL GROUP BY meeting_id"
    )
    assert len(told) == COUNT
    for meeting in told:
        assert [tuple(step) for step in meeting["story"]] == TOLD_BY_THE_BOT, meeting["meeting_id"]
