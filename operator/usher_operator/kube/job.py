"""From a bot's row to its Job: pure functions, no I/O.

The Job's name follows from the meeting's id, so creating it twice is harmless. Its pod runs once (`backoffLimit: 0`):
a bot that died has left its meeting, and a second pod would report for a meeting that has moved on.
"""

import json
from dataclasses import dataclass
from typing import Any

from usher_models.db.bots import Bot
from usher_operator.kube.botrequest import BotRequestSpec
from usher_operator.kube.class_fields import with_program_needs, with_scheduling
from usher_operator.kube.drivers import DriverPod, DriverSettings, driver_name, driver_pod
from usher_operator.kube.expansion import literal
from usher_operator.kube.meeting_token import Issuer, mint
from usher_operator.kube.resources import with_defaults
from usher_operator.redis_acl.account import RedisAccount
from usher_operator.settings.bot_class import BotClass

Json = dict[str, Any]

MANAGED_BY = "app.kubernetes.io/managed-by=usher"
CONNECTION_ANNOTATION = "usher.dev/connection-id"
INSTALLATION_LABEL = "usher.dev/installation"
MEETING_LABEL = "usher.dev/meeting-id"
USER_LABEL = "usher.dev/user-id"
REQUEST_LABEL = "usher.dev/request-uid"
CONTAINER = "bot"
TOKEN_DIR = "/var/run/secrets/usher"  # noqa: S105 - a path
TOKEN_EXPIRATION_S = 3600
SHM_SIZE = "256Mi"
TMP_SIZE = "1Gi"
# How long a bot may still report after it gave up on leaving.
REPORT_MARGIN_S = 10
# By a cluster's defaults each lookup of a bot is eight queries (search domains times A and AAAA), and one that is lost
# costs five seconds. A name with two dots or more is meant as it stands. The options are those of resolv.conf(5).
DNS_OPTIONS: list[Json] = [
    {"name": "ndots", "value": "2"},
    {"name": "timeout", "value": "2"},
    {"name": "attempts", "value": "3"},
]


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """The settings that every bot's Job shares. Durations are seconds."""

    installation: str
    image_pull_policy: str
    service_account: str
    callback_url: str
    redis_url: str
    redis_secret: str
    audience: str
    drivers: DriverSettings
    bot_class: BotClass
    meeting_token_secret: str
    meeting_token_issuer: Issuer
    priority_class: str
    heartbeat_interval_s: float
    reserved_timeout_s: float
    termination_grace_s: int
    duration_grace_s: int


def build_job(bot: Bot, settings: JobSettings) -> Json:
    """The Job of one bot. `bot.spec` is a BotRequest's spec that was accepted."""
    spec = BotRequestSpec.model_validate(bot.spec)
    driver = driver_pod(_driver_name(bot, spec, settings), spec, settings.drivers)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": bot.job_name,
            "labels": _labels(bot, settings),
            "annotations": {CONNECTION_ANNOTATION: bot.connection_id},
            "ownerReferences": _owners(bot),
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": _pod_failure_policy(),
            "activeDeadlineSeconds": _active_deadline_s(bot, settings),
            "ttlSecondsAfterFinished": spec.ttl_seconds_after_finished,
            "template": {
                "metadata": {"labels": _labels(bot, settings), "annotations": _pod_annotations(bot)},
                "spec": _pod(bot, spec, driver, settings),
            },
        },
    }


def _driver_name(bot: Bot, spec: BotRequestSpec, settings: JobSettings) -> str:
    """The driver that was chosen with the reservation. A row from before that was noted has none."""
    return bot.driver or driver_name(spec, default=settings.drivers.default)


def _labels(bot: Bot, settings: JobSettings) -> Json:
    request: Json = {REQUEST_LABEL: bot.request_uid} if bot.request_uid else {}
    return request | {
        "app.kubernetes.io/name": "usher-bot",
        "app.kubernetes.io/component": "bot",
        "app.kubernetes.io/part-of": "usher",
        "app.kubernetes.io/managed-by": "usher",
        INSTALLATION_LABEL: settings.installation,
        MEETING_LABEL: str(bot.meeting_id),
        USER_LABEL: str(bot.user_id),
        "usher.dev/platform": bot.platform,
    }


def _pod_annotations(bot: Bot) -> Json:
    # A bot in a meeting cannot be moved, so autoscalers must not drain its node to save cost.
    return {
        CONNECTION_ANNOTATION: bot.connection_id,
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
    }


def _owners(bot: Bot) -> list[Json]:
    if not (bot.request_name and bot.request_uid):
        return []
    return [
        {
            "apiVersion": "usher.dev/v1alpha1",
            "kind": "BotRequest",
            "name": bot.request_name,
            "uid": bot.request_uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]


def _pod_failure_policy() -> Json:
    """Fails the Job at once, with a condition that tells a disruption from a bot that failed by itself."""
    return {
        "rules": [
            {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {
                "action": "FailJob",
                "onExitCodes": {"containerName": CONTAINER, "operator": "NotIn", "values": [0]},
            },
        ]
    }


def _active_deadline_s(bot: Bot, settings: JobSettings) -> int:
    # Kubernetes counts from the Job's creation, the maximum duration from the bot's start.
    return bot.max_duration_s + int(settings.reserved_timeout_s) + settings.duration_grace_s


def _pod(bot: Bot, spec: BotRequestSpec, driver: DriverPod, settings: JobSettings) -> Json:
    pod: Json = {
        "restartPolicy": "Never",
        "serviceAccountName": settings.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "dnsConfig": {"options": DNS_OPTIONS},
        "terminationGracePeriodSeconds": settings.termination_grace_s,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": driver.seccomp_profile},
        "containers": [_container(bot, spec, driver, settings)],
        "volumes": _volumes(settings),
    }
    scheduling: Json = {
        "nodeSelector": spec.node_selector,
        "tolerations": spec.tolerations,
        "priorityClassName": spec.priority_class_name or settings.priority_class,
        "imagePullSecrets": spec.image_pull_secrets,
    }
    pod = with_scheduling(pod | {key: value for key, value in scheduling.items() if value}, settings.bot_class)
    return with_program_needs(pod, settings.bot_class) if driver.own else pod


def _container(bot: Bot, spec: BotRequestSpec, driver: DriverPod, settings: JobSettings) -> Json:
    return {
        "name": CONTAINER,
        "image": driver.image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": [literal("usher-bot")],
        "env": _env(bot, driver, settings),
        "resources": with_defaults(
            spec.resources, of_class=settings.bot_class.resources if driver.own else None, defaults=driver.resources
        ),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": driver.read_only,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "token", "mountPath": TOKEN_DIR, "readOnly": True},
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
    }


def _volumes(settings: JobSettings) -> list[Json]:
    token = {
        "path": "token",
        "audience": settings.audience,
        "expirationSeconds": TOKEN_EXPIRATION_S,
    }
    return [
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": SHM_SIZE}},
        {"name": "tmp", "emptyDir": {"sizeLimit": TMP_SIZE}},
    ]


def _env(bot: Bot, driver: DriverPod, settings: JobSettings) -> list[Json]:
    values: dict[str, str | None] = {
        "HOME": "/tmp",  # noqa: S108
        "USHER_CONNECTION_ID": bot.connection_id,
        "USHER_MEETING_ID": str(bot.meeting_id),
        "USHER_CALLBACK_URL": settings.callback_url,
        "USHER_TOKEN_FILE": f"{TOKEN_DIR}/token",
        "USHER_REDIS_URL": _redis_url(bot, settings),
        "USHER_PLATFORM": bot.platform,
        "USHER_NATIVE_MEETING_ID": bot.native_id,
        "USHER_MEETING_URL": bot.config.get("meeting_url"),
        "USHER_PASSCODE": bot.config.get("passcode"),
        "USHER_BOT_NAME": bot.config.get("bot_name"),
        "USHER_LANGUAGE": bot.config.get("language"),
        "USHER_TASK": bot.config.get("task"),
        "USHER_DRIVER": driver.name,
        "USHER_DRIVER_OPTIONS": json.dumps(driver.options),
        "USHER_LOBBY_TIMEOUT_S": str(bot.lobby_timeout_s),
        "USHER_MAX_DURATION_S": str(bot.max_duration_s),
        "USHER_LEAVE_GRACE_S": str(max(1, settings.termination_grace_s - REPORT_MARGIN_S)),
        "USHER_HEARTBEAT_INTERVAL_S": f"{settings.heartbeat_interval_s:g}",
        "USHER_LOG_FORMAT": "json",
        "BOT_TOKEN": _meeting_token(bot, driver, settings),
    }
    plain: list[Json] = [{"name": name, "value": literal(value)} for name, value in values.items() if value is not None]
    return [*plain, _from_pod("USHER_POD_NAME", "metadata.name"), _from_pod("USHER_POD_UID", "metadata.uid")]


def _meeting_token(bot: Bot, driver: DriverPod, settings: JobSettings) -> str | None:
    if not settings.meeting_token_secret or not driver.own:
        return None
    return mint(
        bot,
        secret=settings.meeting_token_secret,
        issuer=settings.meeting_token_issuer,
        lifetime_s=_active_deadline_s(bot, settings),
    )


def _redis_url(bot: Bot, settings: JobSettings) -> str | None:
    if not settings.redis_url or not settings.redis_secret:
        return settings.redis_url or None
    own = RedisAccount.of(meeting_id=bot.meeting_id, connection_id=bot.connection_id, secret=settings.redis_secret)
    return own.url(settings.redis_url)


def _from_pod(name: str, path: str) -> Json:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
