"""The stories of the demo, each with real bots on the real cluster; every one checks that it ended as it should."""

import json
import time
from collections.abc import Callable
from typing import Any

from dev.demo import real_bot
from dev.demo.api_writes import count_writes
from dev.demo.kubectl import SYSTEM, Kubectl, cluster
from dev.demo.screen import command, heading, say, show, streaming
from dev.machine.errors import DevError

SAMPLES = "manifests/samples"
CONDITIONS = "custom-columns=PHASE:.status.phase," + ",".join(
    f'{kind.upper()}:.status.conditions[?(@.type=="{kind}")].reason'
    for kind in ("Accepted", "SlotReserved", "JobCreated", "Joined", "Finished")
)
# Every BotRequest of the samples that are shown: what an earlier run left is withdrawn, and nothing else.
NAMES = (
    "standup",
    "over-cap-1",
    "over-cap-2",
    "over-cap-3",
    "unknown-user",
    "bad-id",
    "crash",
    "silent",
    real_bot.NAME,
)


def run_all(kubectl: Kubectl) -> None:
    """Every story, in order. Raises DevError when one does not end as it should."""
    _tidy(kubectl)
    _users(kubectl)
    standup = _one_life(kubectl)
    _refusals(kubectl)
    crashed, silent = _failures(kubectl)
    _audit_trail(kubectl, standup, crashed, silent)
    _api_writes(kubectl)
    real_bot.run(kubectl)


def _tidy(kubectl: Kubectl) -> None:
    if kubectl("get", "br", *NAMES, "--ignore-not-found", "--output", "name").strip():
        heading("Withdrawing what an earlier run left")
        command(f"kubectl delete br {' '.join(NAMES)}")
        kubectl("delete", "br", *NAMES, "--ignore-not-found")
    _wait_for("the bots of an earlier run to be gone", lambda: _live(kubectl) == [], timeout_s=90)


def _users(kubectl: Kubectl) -> None:
    heading("Two users: ada may run three bots at a time, bob two")
    for email, cap in (("ada@example.com", 3), ("bob@example.com", 2)):
        command(f"usher user add {email} --max-concurrent-bots {cap}")
        show(kubectl.usher("user", "add", email, "--max-concurrent-bots", str(cap)))


def _one_life(kubectl: Kubectl) -> int:
    heading("One bot: requested, in its meeting, reconfigured, asked to leave")
    say("`usher follow` tells the row's story as it happens, `kubectl --watch` the BotRequest's conditions.")
    command(f"kubectl apply -f {SAMPLES}/botrequest.yaml && kubectl wait --for=condition=Joined br/standup")
    kubectl("apply", "--filename", f"{SAMPLES}/botrequest.yaml")
    watching = kubectl.begin("get", "br", "standup", "--watch", "--output", CONDITIONS)
    following = kubectl.begin(*kubectl.usher_arguments("follow", "standup"))
    with streaming(watching, label="conditions"), streaming(following, label="follow    "):
        kubectl("wait", "--for=condition=Joined", "br/standup", "--timeout=120s")
        meeting = int(kubectl.json("get", "br", "standup")["status"]["meetingId"])
        _patch(kubectl, "standup", {"language": "de", "task": "translate"})
        _wait_for("the bot to take on the configuration", lambda: _configured(kubectl, meeting), timeout_s=60)
        _patch(kubectl, "standup", {"desiredState": "Left"})
        kubectl("wait", "--for=condition=Finished", "br/standup", "--timeout=120s")
        time.sleep(1)
    _expect_phase(kubectl, "standup", "completed")
    command("kubectl get br standup -o wide")
    show(kubectl("get", "br", "standup", "--output", "wide"))
    return meeting


def _patch(kubectl: Kubectl, name: str, spec: dict[str, Any]) -> None:
    patch = json.dumps({"spec": spec})
    command(f"kubectl patch br {name} --type merge --patch '{patch}'")
    kubectl("patch", "br", name, "--type", "merge", "--patch", patch)


def _configured(kubectl: Kubectl, meeting: int) -> bool:
    return any(
        bot["id"] == meeting and bot["applied_generation"] == bot["config_generation"] > 0 for bot in _live(kubectl)
    )


def _refusals(kubectl: Kubectl) -> None:
    heading("Refused: a third bot over bob's limit of two, an unknown user, a malformed id")
    for sample in ("over-cap", "unknown-user", "bad-id"):
        command(f"kubectl apply -f {SAMPLES}/{sample}.yaml")
        kubectl("apply", "--filename", f"{SAMPLES}/{sample}.yaml")
    _wait_for("three refusals", lambda: len(_refused(kubectl)) == 3, timeout_s=60)
    command("kubectl get br")
    show(kubectl("get", "br"))
    for body in _refused(kubectl):
        show(f"  {body['metadata']['name']}: {body['status']['message']}")
    say("An immutable field cannot be edited:")
    command("""kubectl patch br over-cap-1 --type merge --patch '{"spec": {"userId": 1}}'""")
    edited = kubectl.attempt("patch", "br", "over-cap-1", "--type", "merge", "--patch", '{"spec": {"userId": 1}}')
    if edited.returncode == 0:
        raise DevError("The API server accepted an edit of spec.userId.")
    show(edited.stderr)
    command(f"kubectl delete -f {SAMPLES}/over-cap.yaml")
    kubectl("delete", "--filename", f"{SAMPLES}/over-cap.yaml")


def _refused(kubectl: Kubectl) -> list[Any]:
    items = kubectl.json("get", "br")["items"]
    return [body for body in items if body.get("status", {}).get("phase") == "refused"]


def _failures(kubectl: Kubectl) -> tuple[int, int]:
    heading("A bot that crashes, and one that goes silent")
    say("The clocks of this installation run fast: a bot is failed after 20 s of silence instead of 120 s.")
    for sample in ("crash", "silent"):
        command(f"kubectl apply -f {SAMPLES}/{sample}.yaml")
        kubectl("apply", "--filename", f"{SAMPLES}/{sample}.yaml")
    with streaming(kubectl.begin(*kubectl.usher_arguments("follow", "crash", "silent")), label="follow    "):
        for name in ("crash", "silent"):
            kubectl("wait", "--for=condition=Finished", f"br/{name}", "--timeout=180s")
        time.sleep(1)
    for name in ("crash", "silent"):
        _expect_phase(kubectl, name, "failed")
    command("kubectl get br; kubectl get events --field-selector involvedObject.kind=BotRequest")
    show(kubectl("get", "br"))
    events = (
        "get",
        "events",
        "--field-selector",
        "involvedObject.kind=BotRequest",
        "--sort-by=.metadata.creationTimestamp",
    )
    show(kubectl(*events))
    found = [int(kubectl.json("get", "br", name)["status"]["meetingId"]) for name in ("crash", "silent")]
    return found[0], found[1]


def _audit_trail(kubectl: Kubectl, *meetings: int) -> None:
    heading("The audit trail: one row for each change of status, written in its transaction")
    for meeting in meetings:
        command(f"usher why {meeting}")
        show(kubectl.usher("why", str(meeting)))


def _api_writes(kubectl: Kubectl) -> None:
    if cluster("which").strip() != "local":
        return
    heading("What a bot's life costs the API server (budget: 6 writes, counted from its audit log)")
    for line in count_writes("standup", job=str(kubectl.json("get", "br", "standup")["status"]["jobName"])):
        show(f"  {line}")


def _expect_phase(kubectl: Kubectl, name: str, phase: str) -> None:
    status = kubectl.json("get", "br", name).get("status", {})
    if status.get("phase") != phase:
        of_operate = "app.kubernetes.io/component=operate"
        logs = kubectl("--namespace", SYSTEM, "logs", "--selector", of_operate, "--tail", "20")
        raise DevError(f"{name} ended as {status.get('phase')} ({status.get('message')}), not as {phase}.\n{logs}")


def _live(kubectl: Kubectl) -> list[dict[str, Any]]:
    live: list[dict[str, Any]] = json.loads(kubectl.usher("bots", "--json"))
    return [bot for bot in live if bot["request_name"] in NAMES]


def _wait_for(what: str, true: Callable[[], bool], *, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise DevError(f"Waited {timeout_s:g} s in vain for {what}.")
        time.sleep(0.5)
