"""The Job of a bot: the same for the same row, safe to run, and silent about secrets.

`job.json` beside this file is the whole Job of a plain request. When a change of it is meant, renew it and read the
difference in the commit:

    USHER_RENEW_SNAPSHOTS=1 PYTHONPATH=. .venv/bin/python -m pytest tests/unit/operator/kube/test_job.py
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.client.models.v1_job import V1Job

from tests.fakes.bots import a_bot_row
from tests.fakes.settings import INSTALLATION, some_settings
from usher_bot.drivers.simulated import SimulatedOptions
from usher_models.db.bots import Bot
from usher_operator.kube.job import JobSettings, build_job
from usher_operator.processes.operate import job_settings

SNAPSHOT = Path(__file__).with_name("job.json")
SECRET = "swordfish"


def settings(**fields: Any) -> JobSettings:
    return job_settings(some_settings(**fields), installation=INSTALLATION)


def built(bot: Bot | None = None, **fields: Any) -> dict[str, Any]:
    return build_job(bot or a_bot_row(), settings(**fields))


def with_spec(**spec: Any) -> Bot:
    return a_bot_row(spec=a_bot_row().spec | spec)


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    return pod


def container_of(job: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod_of(job)["containers"]
    found: dict[str, Any] = container
    return found


def env_of(job: dict[str, Any]) -> dict[str, str]:
    return {line["name"]: line["value"] for line in container_of(job)["env"] if "value" in line}


def driver_options(job: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = json.loads(env_of(job)["USHER_DRIVER_OPTIONS"])
    return options


def a_secret_bot() -> Bot:
    config = {"passcode": SECRET, "meeting_url": f"https://zoom.us/j/85123456789?pwd={SECRET}", "bot_name": "Usher"}
    return a_bot_row(config=config, spec=a_bot_row().spec | {"passcode": SECRET})


def test_the_job_of_a_plain_request_is_the_one_in_the_snapshot() -> None:
    job = built()
    if os.environ.get("USHER_RENEW_SNAPSHOTS"):
        SNAPSHOT.write_text(json.dumps(job, indent=2) + "\n")
    assert job == json.loads(SNAPSHOT.read_text())


@pytest.mark.parametrize(
    "bot",
    [
        pytest.param(a_bot_row(), id="plain"),
        pytest.param(a_secret_bot(), id="passcode"),
        pytest.param(with_spec(driver="exec", command=["python", "-m", "mybot"]), id="exec"),
        pytest.param(with_spec(resources={"limits": {"memory": "1Gi"}}, priorityClassName="bots"), id="scheduling"),
        pytest.param(a_bot_row(request_name=None, request_uid=None), id="no request"),
    ],
)
def test_kubernetes_own_model_takes_the_job_and_knows_every_field(bot: Bot) -> None:
    job = built(bot)
    # V1Job forbids unknown fields on every level; that it says the same again proves that it dropped none.
    assert V1Job.model_validate(job).model_dump(by_alias=True, exclude_none=True) == job


def test_an_unknown_field_would_be_noticed() -> None:
    job = built()
    pod_of(job)["terminationGrace"] = 3
    with pytest.raises(ValueError, match="terminationGrace"):
        V1Job.model_validate(job)


def test_the_name_follows_from_the_meeting_alone() -> None:
    assert built(a_bot_row(meeting_id=42, job_name="bot-42"))["metadata"]["name"] == "bot-42"
    assert built() == built()


def test_the_job_belongs_to_its_request_and_does_not_block_its_deletion() -> None:
    (owner,) = built()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("BotRequest", "standup", "uid-of-standup")
    assert (owner["controller"], owner["blockOwnerDeletion"]) == (True, False)


def test_without_a_request_the_job_has_no_owner() -> None:
    assert built(a_bot_row(request_uid=None))["metadata"]["ownerReferences"] == []


def test_the_pod_runs_once_and_never_again() -> None:
    job = built()["spec"]
    assert (job["backoffLimit"], job["completions"], job["parallelism"]) == (0, 1, 1)
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert {rule["action"] for rule in job["podFailurePolicy"]["rules"]} == {"FailJob"}


def test_the_exit_code_rule_names_the_container_that_exists() -> None:
    job = built()
    (rule,) = (rule for rule in job["spec"]["podFailurePolicy"]["rules"] if "onExitCodes" in rule)
    assert rule["onExitCodes"]["containerName"] == container_of(job)["name"]
    assert (rule["onExitCodes"]["operator"], rule["onExitCodes"]["values"]) == ("NotIn", [0])


def test_kubernetes_ends_the_job_only_after_everything_else_had_its_time() -> None:
    job = built(a_bot_row(max_duration_s=3600), reserved_timeout_s=300, duration_grace_s=120)
    assert job["spec"]["activeDeadlineSeconds"] == 3600 + 300 + 120


def test_a_finished_job_is_kept_as_long_as_asked() -> None:
    assert built(with_spec(ttlSecondsAfterFinished=7))["spec"]["ttlSecondsAfterFinished"] == 7


@pytest.mark.parametrize("driver", ["browser", "exec", "simulated"])
def test_the_pod_passes_the_restricted_pod_security_standard(driver: str) -> None:
    """Field by field after https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted."""
    job = built(with_spec(driver=driver, command=["run"]))
    pod, container = pod_of(job), container_of(job)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"} & pod.keys()
    assert "privileged" not in container["securityContext"]
    assert not any("hostPort" in port for port in container.get("ports", []))
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"}
    assert {kind for volume in pod["volumes"] for kind in volume.keys() - {"name"}} <= allowed


def test_only_a_program_of_somebody_else_may_write_to_its_image() -> None:
    assert container_of(built())["securityContext"]["readOnlyRootFilesystem"] is True
    exec_ = built(with_spec(driver="exec", command=["run"]))
    assert container_of(exec_)["securityContext"]["readOnlyRootFilesystem"] is False


def test_the_only_credential_is_a_token_for_callbacks() -> None:
    job = built(token_audience="usher-callback")
    pod = pod_of(job)
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    (token,) = (volume["projected"]["sources"] for volume in pod["volumes"] if volume["name"] == "token")
    assert token == [
        {"serviceAccountToken": {"path": "token", "audience": "usher-callback", "expirationSeconds": 3600}}
    ]
    (mount,) = (mount for mount in container_of(job)["volumeMounts"] if mount["name"] == "token")
    assert mount["readOnly"] is True
    assert env_of(job)["USHER_TOKEN_FILE"] == f"{mount['mountPath']}/token"


def test_every_mounted_volume_exists() -> None:
    job = built()
    mounted = {mount["name"] for mount in container_of(job)["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod_of(job)["volumes"]}


def test_shared_memory_is_there_for_a_browser_and_bounded() -> None:
    job = built()
    (shm,) = (volume["emptyDir"] for volume in pod_of(job)["volumes"] if volume["name"] == "shm")
    assert shm == {"medium": "Memory", "sizeLimit": "256Mi"}
    assert {"name": "shm", "mountPath": "/dev/shm"} in container_of(job)["volumeMounts"]


def test_scheduling_wishes_reach_the_pod() -> None:
    toleration = {"key": "bots", "operator": "Exists", "effect": "NoSchedule"}
    wishes: dict[str, Any] = {
        "nodeSelector": {"pool": "bots"},
        "tolerations": [toleration],
        "priorityClassName": "bots",
        "imagePullSecrets": [{"name": "registry"}],
    }
    pod = pod_of(built(with_spec(**wishes)))
    assert {key: pod[key] for key in wishes} == wishes


def test_without_wishes_the_pod_says_nothing_about_scheduling() -> None:
    assert not {"nodeSelector", "tolerations", "priorityClassName", "imagePullSecrets"} & pod_of(built()).keys()


def test_resources_are_those_asked_for() -> None:
    wanted = {"requests": {"cpu": "2"}, "limits": {"memory": "2Gi"}}
    resources = container_of(built(with_spec(resources=wanted)))["resources"]
    assert (resources["requests"]["cpu"], resources["limits"]["memory"]) == ("2", "2Gi")
    plain = container_of(built(with_spec(driver="simulated")))["resources"]
    assert plain["limits"] == {"memory": "512Mi", "ephemeral-storage": "2Gi"}


def test_scratch_space_is_bounded() -> None:
    (tmp,) = (volume["emptyDir"] for volume in pod_of(built())["volumes"] if volume["name"] == "tmp")
    assert tmp == {"sizeLimit": "1Gi"}


def test_the_image_is_the_requests_or_the_installations() -> None:
    assert container_of(built(with_spec(image="example.org/bot:1")))["image"] == "example.org/bot:1"


def test_the_exec_driver_gets_its_command() -> None:
    job = built(with_spec(driver="exec", command=["python", "-m", "mybot", "--fast"]))
    assert env_of(job)["USHER_DRIVER"] == "exec"
    assert driver_options(job) == {"command": ["python", "-m", "mybot", "--fast"]}


def test_the_simulated_driver_gets_its_script() -> None:
    simulation = {"bootSeconds": 0.5, "behaviour": "IgnoreLeave", "afterSeconds": 3, "participants": 9}
    assert driver_options(built(with_spec(driver="simulated", simulation=simulation))) == {
        "boot_s": 0.5,
        "lobby_s": 2,
        "meeting_s": 3600,
        "leave_s": 1,
        "behaviour": "ignore_leave",
        "after_s": 3,
        "exit_code": 1,
        "participants": 9,
    }


def test_every_option_for_the_simulated_driver_is_one_it_knows() -> None:
    assert SimulatedOptions.model_validate(driver_options(built(with_spec(driver="simulated")))) == SimulatedOptions()


def test_the_installation_chooses_the_driver_of_a_request_that_names_none() -> None:
    job = built(default_driver="exec", default_command=("bot",))
    assert env_of(job)["USHER_DRIVER"] == "exec"
    assert container_of(job)["securityContext"]["readOnlyRootFilesystem"] is False


def test_what_is_not_set_is_left_out_of_the_environment() -> None:
    assert not {"USHER_PASSCODE", "USHER_LANGUAGE", "USHER_TASK", "USHER_REDIS_URL"} & env_of(built()).keys()


def test_the_pod_tells_the_bot_who_it_is() -> None:
    fields = {
        line["name"]: line["valueFrom"]["fieldRef"]["fieldPath"]
        for line in container_of(built())["env"]
        if "valueFrom" in line
    }
    assert fields == {"USHER_POD_NAME": "metadata.name", "USHER_POD_UID": "metadata.uid"}


def test_the_bot_may_leave_and_report_before_it_is_killed() -> None:
    job = built(termination_grace_s=45)
    assert pod_of(job)["terminationGracePeriodSeconds"] == 45
    assert 0 < float(env_of(job)["USHER_LEAVE_GRACE_S"]) < 45
    assert env_of(built(termination_grace_s=1))["USHER_LEAVE_GRACE_S"] == "1"


def test_autoscalers_leave_the_pod_where_it_is() -> None:
    annotations = built()["spec"]["template"]["metadata"]["annotations"]
    assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    assert annotations["karpenter.sh/do-not-disrupt"] == "true"


def test_the_passcode_is_in_the_environment_and_nowhere_else() -> None:
    job = built(a_secret_bot())
    assert env_of(job)["USHER_PASSCODE"] == SECRET
    container_of(job).pop("env")
    assert SECRET not in json.dumps(job)


def test_labels_and_annotations_hold_no_secret() -> None:
    job = built(a_secret_bot(), bot_redis_url="redis://:swordfish@redis:6379/0")
    said = [part["metadata"][kind] for part in (job, job["spec"]["template"]) for kind in ("labels", "annotations")]
    assert SECRET not in json.dumps(said)


def test_labels_find_the_bot_by_meeting_user_and_platform() -> None:
    job = built()
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"]
    assert job["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "usher"
    assert job["metadata"]["labels"]["usher.dev/meeting-id"] == "1"
    assert job["metadata"]["labels"]["usher.dev/user-id"] == "7"
