"""What the installation's class gives a bot, and to whom it does not."""

import json
from typing import Any

import pytest
from kubernetes.aio.client.models.v1_job import V1Job
from pydantic import ValidationError

from tests.fakes.settings import some_settings
from tests.unit.operator.kube.test_job import built, container_of, driver_options, pod_of, with_spec
from usher_models.exec_options import ExecOptions
from usher_operator.settings import Settings, SettingsInvalid, load
from usher_operator.settings.bot_class import BotClass

KEY = {"name": "TRANSCRIPTION_SERVICE_TOKEN", "valueFrom": {"secretKeyRef": {"name": "vexa", "key": "token"}}}
CLASS: dict[str, Any] = {
    "env": [KEY, {"name": "HOME", "value": "/home/bot"}],
    "envFrom": [{"secretRef": {"name": "vexa-bot"}}],
    "resources": {"requests": {"cpu": 1}, "limits": {"memory": "4Gi"}},
    "shmSize": "2Gi",
    "runAsUser": 1000,
    "volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}],
    "volumeMounts": [{"name": "models", "mountPath": "/models", "readOnly": True}],
    "exec": {"silenceSeconds": 0, "noOneJoinedSeconds": 300, "config": {"recordingEnabled": True}},
    "nodeSelector": {"pool": "bots"},
    "tolerations": [{"key": "bots", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
}
OWN: dict[str, Any] = {
    "default_driver": "exec",
    "default_command": ("node", "bot.js"),
    "bot_class": BotClass.model_validate(CLASS),
    "meeting_token_secret": "s" * 32,
}
# Requests that choose a part of what runs.
OF_THE_REQUEST: list[dict[str, Any]] = [
    {"command": ["env"]},
    {"image": "example.org/bot:1"},
    {"driver": "simulated"},
]


def names(job: dict[str, Any]) -> set[str]:
    return {variable["name"] for variable in container_of(job)["env"]}


def test_the_installations_own_program_gets_everything() -> None:
    job = built(**OWN)
    container, pod = container_of(job), pod_of(job)
    assert KEY in container["env"]
    assert [each for each in container["env"] if each["name"] == "HOME"] == [{"name": "HOME", "value": "/home/bot"}]
    assert container["envFrom"] == CLASS["envFrom"]
    assert container["resources"]["requests"]["cpu"] == "1"
    assert container["resources"]["limits"] == {"memory": "4Gi", "ephemeral-storage": "2Gi"}
    assert CLASS["volumeMounts"][0] in container["volumeMounts"]
    assert CLASS["volumes"][0] in pod["volumes"]
    assert pod["securityContext"]["runAsUser"] == 1000
    assert {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}} in pod["volumes"]


def test_kubernetes_own_model_takes_the_job_of_a_class() -> None:
    job = built(**OWN)
    assert V1Job.model_validate(job).model_dump(by_alias=True, exclude_none=True) == job


@pytest.mark.parametrize("spec", OF_THE_REQUEST, ids=str)
def test_a_program_that_a_request_names_gets_no_secret_of_the_installation(spec: dict[str, Any]) -> None:
    job = built(with_spec(**spec), **OWN)
    container = container_of(job)
    assert "envFrom" not in container
    assert not {KEY["name"], "BOT_TOKEN"} & names(job)
    assert container["resources"]["limits"]["memory"] == "512Mi"
    assert {volume["name"] for volume in pod_of(job)["volumes"]} == {"token", "shm", "tmp"}
    assert "runAsUser" not in pod_of(job)["securityContext"]


def test_a_request_that_names_what_runs_anyway_gets_everything() -> None:
    spec = {"command": ["node", "bot.js"], "image": "usher.dev/bot:v1", "driver": "exec"}
    assert KEY["name"] in names(built(with_spec(**spec), bot_image="usher.dev/bot:v1", **OWN))


@pytest.mark.parametrize("spec", [{}, *OF_THE_REQUEST], ids=str)
def test_every_bot_runs_on_the_classes_nodes(spec: dict[str, Any]) -> None:
    own = {"nodeSelector": {"zone": "a"}, "tolerations": [{"key": "mine", "operator": "Exists"}]}
    pod = pod_of(built(with_spec(**spec, **own), **OWN))
    assert pod["nodeSelector"] == {"pool": "bots", "zone": "a"}
    assert [toleration["key"] for toleration in pod["tolerations"]] == ["bots", "mine"]
    assert pod["affinity"] == CLASS["affinity"]


def test_what_a_request_asks_for_wins() -> None:
    asked: dict[str, Any] = {"resources": {"limits": {"memory": "1Gi"}}, "noOneJoinedTimeoutSeconds": 7}
    job = built(with_spec(**asked), **OWN)
    assert container_of(job)["resources"]["limits"]["memory"] == "1Gi"
    assert driver_options(job)["no_one_joined_s"] == 7


def test_the_options_are_those_that_the_driver_reads() -> None:
    options = ExecOptions.model_validate(driver_options(built(**OWN)))
    assert (options.silence_s, options.no_one_joined_s, options.everyone_left_s) == (0, 300, 60)
    assert options.config == {"recordingEnabled": True}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "must be a JSON object"),
        ("[]", "valid dictionary"),
        ('{"env": [{"value": "x"}]}', "each entry needs a name"),
        ('{"env": [{"name": "USHER_CALLBACK_URL", "value": "x"}]}', "USHER_CALLBACK_URL: Usher itself sets"),
        ('{"volumes": [{"name": "tmp"}]}', "tmp: this name is taken"),
        ('{"volumeMounts": [{"name": "models", "mountPath": "/m"}]}', "there is no volume models"),
        ('{"shmSize": "large"}', "shmSize: "),
        ('{"resources": {"limits": {"memory": "lots"}}}', "resources: limits: memory: "),
        ('{"runAsUser": 0}', "runAsUser: "),
        ('{"exec": {"silenceSeconds": -1}}', "exec: silenceSeconds: "),
        ('{"exec": {"command": ["x"]}}', "exec: command: "),
        ('{"command": ["x"]}', "command: "),
    ],
)
def test_what_no_pod_could_have_stops_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, document: str, said: str
) -> None:
    monkeypatch.setenv("USHER_DATABASE_URL", "postgresql+psycopg://usher@127.0.0.1/usher")
    monkeypatch.setenv("USHER_BOT_CLASS", document)
    with pytest.raises(SettingsInvalid, match=rf"^USHER_BOT_CLASS: .*{said}"):
        load()


@pytest.mark.parametrize("document", ["", json.dumps(CLASS)])
def test_a_class_is_read_from_json(monkeypatch: pytest.MonkeyPatch, document: str) -> None:
    monkeypatch.setenv("USHER_DATABASE_URL", "postgresql+psycopg://usher@127.0.0.1/usher")
    monkeypatch.setenv("USHER_BOT_CLASS", document)
    assert Settings().bot_class == BotClass.model_validate(CLASS if document else {})


def test_transcripts_need_a_user_for_each_bot() -> None:
    with pytest.raises(ValidationError, match="needs USHER_BOT_REDIS_SECRET"):
        some_settings(bot_redis_transcripts=True)
