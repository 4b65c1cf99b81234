"""What cannot work, or means nothing, is refused before anything is installed, with a sentence that says what would."""

from typing import Any

import pytest

from tests.unit.helm.conftest import Refusal


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"postgresql": {"enabled": False}}, "There is no database"),
        ({"externalDatabase": {"existingSecret": "db"}}, "There are two databases"),
        ({"externalRedis": {"existingSecret": "cache"}}, "There are two of Redis"),
        ({"adminApi": {"existingSecret": "keys"}}, "nothing reads it"),
        ({"adminApi": {"enabled": True}, "features": {"restApi": False}}, "a part of the REST API"),
        ({"botNamespaces": ["usher-system"]}, "Bots must not run beside Usher's Secrets"),
        ({"botNamespaces": ["a", "a"]}, "names a namespace twice"),
        ({"bot": {"defaultDriver": "exec"}}, "bot.defaultDriver=exec needs bot.defaultCommand"),
        (
            {"redis": {"enabled": False}, "vexa": {"botTranscripts": True}},
            "a right of each bot's own user of Redis",
        ),
        ({"vexa": {"gateway": {"existingSecret": "g"}}, "features": {"restApi": False}}, "Gateways ask the REST API"),
        ({"rbac": {"clusterRoles": False, "aggregate": True}}, "rbac.aggregate needs the roles"),
        ({"serve": {"autoscaling": {"enabled": True, "minReplicas": 9}}}, "minReplicas is above"),
        ({"serve": {"terminationGracePeriodSeconds": 35}}, "killed while it finishes requests"),
        ({"settings": {"USHER_HEARTBEAT_INTERVAL_S": 61}}, "One lost heartbeat would kill a healthy bot"),
        ({"database": {"poolSize": 60}}, "but postgresql.maxConnections is 200"),
        ({"serve": {"replicas": 40}}, "raise it, or lower database.poolSize"),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(refusal: Refusal, values: dict[str, Any], said: str) -> None:
    assert said in refusal(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 3},
        {"serve": {"replica": 3}},
        {"serve": {"replicas": "three"}},
        {"image": {"pullPolicy": "Sometimes"}},
        {"image": {"digest": "latest"}},
        {"botNamespaces": []},
        {"settings": {"USHER_NO_SUCH_THING": 1}},
        {"settings": {"USHER_DATABASE_URL": "postgresql+psycopg://in/plain-sight"}},
        {"settings": {"USHER_BOT_REDIS_SECRET": "in plain sight"}},
        {"settings": {"USHER_GATEWAY_SECRET": "in plain sight"}},
        {"settings": {"USHER_MEETING_TOKEN_SECRET": "in plain sight"}},
        {"bot": {"runAsUser": 0}},
        {"bot": {"exec": {"command": ["x"]}}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_is_unknown_or_of_the_wrong_kind(refusal: Refusal, values: dict[str, Any]) -> None:
    assert "values don't meet the specifications of the schema" in refusal(**values)
