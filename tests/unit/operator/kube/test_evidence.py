"""What Kubernetes knows of a bot that said nothing, from Jobs and pods as they really look."""

import copy
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.objects import (
    BACKOFF_LIMIT,
    COMPLETE,
    DEADLINE,
    FAILED_BY_POLICY,
    NOW,
    Json,
    a_job,
    a_pod,
    disrupted,
    running,
    terminated,
    unschedulable,
    waiting,
)
from usher_operator.kube.evidence import (
    hopeless_image,
    last_words,
    node_of,
    refusal_of_pod,
    start_of,
    taken_away,
    verdict,
    waiting_reason,
)

ENDINGS = [
    pytest.param(COMPLETE, {"state": terminated(0)}, "exited_zero", 0, id="exit code 0"),
    pytest.param(COMPLETE, None, "exited_zero", 0, id="complete, its pod is gone"),
    pytest.param(FAILED_BY_POLICY, {"state": terminated(1)}, "exit_code_1", 1, id="exit code 1"),
    pytest.param(BACKOFF_LIMIT, {"state": terminated(143)}, "exit_code_143", 143, id="SIGTERM"),
    pytest.param(
        FAILED_BY_POLICY, {"state": terminated(137, reason="OOMKilled")}, "oom_killed", 137, id="out of memory"
    ),
    pytest.param(
        FAILED_BY_POLICY,
        {"phase": "Failed", "status_reason": "Evicted", "conditions": [disrupted("TerminationByKubelet")]},
        "evicted",
        None,
        id="the node was short of memory",
    ),
    pytest.param(
        FAILED_BY_POLICY,
        {"state": terminated(143), "conditions": [disrupted("EvictionByEvictionAPI")]},
        "evicted",
        143,
        id="kubectl drain",
    ),
    pytest.param(
        FAILED_BY_POLICY,
        {"state": terminated(137), "conditions": [disrupted("PreemptionByScheduler")]},
        "preempted",
        137,
        id="preempted",
    ),
    pytest.param(
        FAILED_BY_POLICY,
        {"conditions": [disrupted("DeletionByTaintManager")]},
        "node_lost",
        None,
        id="node unreachable",
    ),
    pytest.param(
        FAILED_BY_POLICY, {"conditions": [disrupted("DeletionByPodGC")]}, "node_lost", None, id="node deleted"
    ),
    pytest.param(BACKOFF_LIMIT, {"status_reason": "NodeLost"}, "node_lost", None, id="node lost, older kubelet"),
    pytest.param(DEADLINE, None, "deadline_exceeded", None, id="active deadline"),
    pytest.param(DEADLINE, {"state": terminated(143)}, "deadline_exceeded", 143, id="active deadline, pod seen"),
    pytest.param(BACKOFF_LIMIT, None, "job_failed", None, id="failed, its pod is gone"),
    pytest.param(FAILED_BY_POLICY, None, "exit_code_1", 1, id="failed by its exit code, its pod is gone"),
    pytest.param(BACKOFF_LIMIT, {"phase": "Failed"}, "job_failed", None, id="failed, its container was never seen"),
]


@pytest.mark.parametrize(("condition", "pod", "reason", "exit_code"), ENDINGS)
def test_a_finished_job_says_how_the_bot_ended(
    condition: Json, pod: Json | None, reason: str, exit_code: int | None
) -> None:
    found = verdict(a_job(condition=condition), None if pod is None else a_pod("bot-1", **pod))
    assert found is not None
    assert (found.reason, found.exit_code) == (reason, exit_code)


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(a_job(), id="running"),
        pytest.param(a_job(condition={"type": "Suspended", "status": "True"}), id="suspended"),
        pytest.param(a_job(condition={"type": "FailureTarget", "status": "True"}), id="about to fail"),
        pytest.param(a_job(condition={"type": "SuccessCriteriaMet", "status": "True"}), id="about to complete"),
        pytest.param(a_job(condition={"type": "Failed", "status": "False"}), id="not failed"),
        pytest.param(a_job() | {"status": {}}, id="without a status"),
        pytest.param({"metadata": {"name": "bot-1"}}, id="just created"),
    ],
)
def test_a_job_that_has_not_ended_proves_nothing(job: Json) -> None:
    assert verdict(job, a_pod("bot-1", state=running())) is None
    assert verdict(job, None) is None


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (terminated(9), "exit_code_9"),
        (terminated(0), "exited_zero"),
        (terminated(137, reason="OOMKilled"), "oom_killed"),
    ],
)
def test_a_bots_container_that_ended_says_how_though_a_sidecar_keeps_the_job_running(state: Json, reason: str) -> None:
    pod = a_pod("bot-1", state=state)
    pod["status"]["containerStatuses"].append({"name": "sidecar", "state": running()})
    found = verdict(a_job(), pod)
    assert found is not None
    assert (found.reason, "job" in found.detail) == (reason, False)


def test_an_init_container_that_failed_is_named_with_its_exit_code() -> None:
    pod = a_pod("bot-1", phase="Failed")
    pod["status"]["initContainerStatuses"] = [
        {"name": "fine", "state": terminated(0)},
        {"name": "fetch-profile", "state": terminated(7)},
    ]
    found = verdict(a_job(condition=BACKOFF_LIMIT), pod)
    assert found is not None
    message = "The init container fetch-profile of the bot's pod ended with exit code 7."
    assert (found.reason, found.message) == ("init_container_failed", message)


def test_without_a_pod_the_exit_code_is_read_from_the_jobs_condition() -> None:
    found = verdict(a_job(condition=FAILED_BY_POLICY), None)
    assert found is not None
    assert (found.reason, found.exit_code) == ("exit_code_1", 1)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Pod bots/bot-1-abcde has condition DisruptionTarget matching FailJob rule at index 0", "evicted"),
        ("Container sidecar for pod bots/bot-1-abcde failed with exit code 4 matching FailJob rule", "job_failed"),
    ],
)
def test_without_a_pod_the_jobs_condition_says_what_it_can(message: str, reason: str) -> None:
    found = verdict(a_job(condition=FAILED_BY_POLICY | {"message": message}), None)
    assert found is not None
    assert found.reason == reason


@pytest.mark.parametrize("exit_code", [0, 137, 143])
def test_a_pod_that_was_deleted_is_no_bot_that_ended_by_itself(exit_code: int) -> None:
    pod = a_pod("bot-1", state=terminated(exit_code), deleting=True)
    for condition in (COMPLETE if exit_code == 0 else BACKOFF_LIMIT, None):
        found = verdict(a_job(condition=condition), pod)
        assert found is not None
        assert found.reason == "pod_deleted"


def test_a_bot_that_crashed_before_its_pod_was_deleted_has_crashed() -> None:
    found = verdict(a_job(condition=BACKOFF_LIMIT), a_pod("bot-1", state=terminated(9), deleting=True))
    assert found is not None
    assert found.reason == "exit_code_9"


def test_a_pod_that_goes_with_its_finished_job_was_not_deleted_before() -> None:
    job = a_job(condition=COMPLETE)
    job["metadata"]["deletionTimestamp"] = NOW
    found = verdict(job, a_pod("bot-1", state=terminated(0), deleting=True))
    assert found is not None
    assert found.reason == "exited_zero"


SUSPENDED = a_job(condition={"type": "Suspended", "status": "True"})
DELETED_JOB = a_job()
DELETED_JOB["metadata"]["deletionTimestamp"] = NOW


@pytest.mark.parametrize(
    ("job", "pod", "reason"),
    [
        pytest.param(a_job(), {"conditions": [disrupted("EvictionByEvictionAPI")]}, "evicted", id="drained"),
        pytest.param(a_job(), {"conditions": [disrupted("PreemptionByScheduler")]}, "preempted", id="preempted"),
        pytest.param(None, {"conditions": [disrupted("DeletionByTaintManager")]}, "node_lost", id="node lost"),
        pytest.param(a_job(), {"status_reason": "Evicted"}, "evicted", id="evicted by the kubelet"),
        pytest.param(a_job(), {"status_reason": "Terminated"}, "node_lost", id="node shut down"),
        pytest.param(DELETED_JOB, {"deleting": True}, "job_deleted", id="Job deleted"),
        pytest.param(None, {"deleting": True}, "job_deleted", id="Job gone"),
        pytest.param(SUSPENDED, {"deleting": True}, "job_suspended", id="Job suspended"),
        pytest.param(a_job() | {"spec": {"suspend": True}}, {"deleting": True}, "job_suspended", id="about to be"),
        pytest.param(a_job(condition=DEADLINE), {"deleting": True}, "deadline_exceeded", id="deadline"),
        pytest.param(a_job(), {"deleting": True}, "pod_deleted", id="pod deleted"),
        pytest.param(a_job(), {}, None, id="nothing is said"),
    ],
)
def test_kubernetes_shows_who_terminated_a_bot(job: Json | None, pod: Json, reason: str | None) -> None:
    assert taken_away(job, a_pod("bot-1", state=running(), **pod)) == reason


@pytest.mark.parametrize(
    ("pod", "stage", "reason", "words"),
    [
        (
            a_pod("bot-1", state=waiting("ImagePullBackOff", 'Back-off pulling image "x": not found')),
            "pulling",
            "image_pull_retrying",
            'ImagePullBackOff: Back-off pulling image "x": not found',
        ),
        (a_pod("bot-1", state=waiting("ContainerCreating")), "pulling", None, ""),
        (a_pod("bot-1", conditions=[unschedulable()]), "scheduling", "unschedulable", "3 Insufficient memory"),
        (a_pod("bot-1", state=waiting("CreateContainerConfigError")), "pulling", "container_blocked", "ConfigError"),
    ],
)
def test_a_pod_that_does_not_run_yet_says_how_far_it_is(pod: Json, stage: str, reason: str | None, words: str) -> None:
    start = start_of(pod)
    assert start is not None
    assert (start.stage, start.reason) == (stage, reason)
    assert words in (start.message or "")


@pytest.mark.parametrize("pod", [None, a_pod("bot-1"), a_pod("bot-1", state=running())])
def test_nothing_is_said_of_a_pod_that_runs_or_is_unknown(pod: Json | None) -> None:
    assert start_of(pod) is None


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ([{"type": "Ready", "status": "True"}], "Its node node-1 is ready."),
        ([{"type": "Ready", "status": "False"}], "Its node node-1 is not ready."),
        ([], None),
    ],
)
def test_a_running_pod_says_whether_its_node_is_ready(conditions: list[Json], sentence: str | None) -> None:
    assert node_of(a_pod("bot-1", state=running(), conditions=conditions)) == sentence


def test_the_jobs_events_say_why_there_is_no_pod() -> None:
    told = [{"reason": "FailedCreate", "message": "exceeded quota: pods=10"}, {"reason": "Other", "message": "x"}]
    assert refusal_of_pod(last_words(None, told)) == "exceeded quota: pods=10"
    assert refusal_of_pod(last_words(None, [])) is None


def test_another_container_of_the_pod_proves_nothing() -> None:
    pod = a_pod("bot-1", state=terminated(9))
    pod["status"]["containerStatuses"][0]["name"] = "sidecar"
    found = verdict(a_job(condition=BACKOFF_LIMIT), pod)
    assert found is not None
    assert (found.reason, found.exit_code) == ("job_failed", None)


def test_a_disruption_that_did_not_happen_proves_nothing() -> None:
    pod = a_pod("bot-1", state=terminated(3), conditions=[disrupted("EvictionByEvictionAPI") | {"status": "False"}])
    found = verdict(a_job(condition=FAILED_BY_POLICY), pod)
    assert found is not None
    assert found.reason == "exit_code_3"


def test_the_last_words_are_kept() -> None:
    pod = a_pod("bot-1", state=terminated(1, message="Traceback: no browser"), phase="Failed")
    found = verdict(a_job(condition=FAILED_BY_POLICY), pod)
    assert found is not None
    assert found.detail == {
        "pod": "bot-1-abcde",
        "node": "node-1",
        "phase": "Failed",
        "exit_code": 1,
        "container": "Error",
        "termination_message": "Traceback: no browser",
        "job": "Failed: PodFailurePolicy",
        "job_message": FAILED_BY_POLICY["message"],
    }


def test_exit_code_zero_is_a_word_too() -> None:
    assert last_words(a_pod("bot-1", state=terminated(0)))["exit_code"] == 0


def test_of_long_last_words_the_end_is_kept() -> None:
    words = last_words(a_pod("bot-1", state=terminated(1, message="x" * 5000 + "The end.")))
    assert len(words["termination_message"]) == 2048
    assert words["termination_message"].endswith("The end.")


def test_last_words_hold_nothing_that_cannot_be_stored() -> None:
    words = last_words(a_pod("bot-1", state=terminated(1, message="a\0b")), [{"reason": "\0", "message": "\0"}])
    assert words["termination_message"] == "a\ufffdb"
    assert "\0" not in str(words["events"])


def test_last_words_keep_the_newest_ten_events() -> None:
    told = [{"reason": "Failed", "message": f"{number} " + "x" * 600} for number in range(12)]
    words = last_words(a_pod("bot-1"), told)
    assert len(words["events"]) == 10
    assert words["events"][-1].startswith("Failed: 11 ")
    assert max(map(len, words["events"])) == 500


def test_a_pod_that_cannot_be_found_has_no_last_words() -> None:
    assert last_words(None) == {}


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (a_pod("bot-1", state=waiting("ImagePullBackOff")), "ImagePullBackOff"),
        (a_pod("bot-1", state=waiting("CreateContainerConfigError")), "CreateContainerConfigError"),
        (a_pod("bot-1", conditions=[unschedulable()], phase="Pending"), "Unschedulable"),
        (a_pod("bot-1", state=running()), None),
        (a_pod("bot-1"), None),
        (None, None),
    ],
)
def test_a_pod_says_why_it_does_not_run_yet(pod: Json | None, reason: str | None) -> None:
    assert waiting_reason(pod) == reason


def test_an_unschedulable_pod_leaves_the_schedulers_sentence() -> None:
    words = last_words(a_pod("bot-1", conditions=[unschedulable("0/1 nodes are available.")], phase="Pending"))
    assert (words["container"], words["termination_message"]) == ("Unschedulable", "0/1 nodes are available.")


@pytest.mark.parametrize(
    ("reason", "hopeless"),
    [
        ("InvalidImageName", True),
        ("ErrImageNeverPull", True),
        ("ErrImagePull", False),
        ("ImagePullBackOff", False),
        ("ContainerCreating", False),
    ],
)
def test_only_an_image_that_can_never_come_is_hopeless(reason: str, hopeless: bool) -> None:
    assert hopeless_image(a_pod("bot-1", state=waiting(reason))) is hopeless


WHOLE_JOBS = [a_job(condition=condition) for condition in (COMPLETE, FAILED_BY_POLICY, DEADLINE)]
WHOLE_PODS = [
    a_pod("bot-1", state=terminated(1, message="gone"), conditions=[disrupted("DeletionByPodGC")]),
    a_pod("bot-1", state=waiting("ImagePullBackOff", "no such image"), conditions=[unschedulable()]),
    a_pod("bot-1", state=running(), status_reason="Evicted"),
]


@st.composite
def damaged(draw: st.DrawFn, whole: list[Json]) -> Json:
    """One of `whole`, with fields that the API leaves optional taken out, null or empty; metadata is always there."""
    body = copy.deepcopy(draw(st.sampled_from(whole)))
    fields = [(holder, key) for part in ("spec", "status") for holder, key in _fields(body, part)]
    for holder, key in draw(st.lists(st.sampled_from(fields), max_size=4, unique_by=id)):
        how = draw(st.sampled_from(["missing", "null", "empty"]))
        if how == "missing":
            holder.pop(key, None)
        elif key in holder:
            holder[key] = None if how == "null" else type(holder[key])()
    return body


def _fields(holder: Json, key: str) -> Iterator[tuple[Json, str]]:
    yield holder, key
    inner = holder[key]
    for part in inner if isinstance(inner, list) else [inner]:
        if isinstance(part, dict):
            for name in part:
                yield from _fields(part, name)


@given(job=damaged(WHOLE_JOBS), pod=st.none() | damaged(WHOLE_PODS))
def test_odd_objects_are_read_without_an_error(job: Json, pod: Json | None) -> None:
    found = verdict(job, pod)
    assert found is None or found.reason
    waiting_reason(pod)
    hopeless_image(pod)
    last_words(pod, [{}, {"reason": None}])
