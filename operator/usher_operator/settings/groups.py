"""The settings in groups. A component asks for the groups that it reads. Durations are seconds."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from usher_models.wire import HEARTBEAT_INTERVAL_S_MAX, HEARTBEAT_INTERVAL_S_MIN
from usher_operator.settings.bot_class import BotClass, Quantity

# Far beyond what makes sense, and within what Postgres, Kubernetes and the timers of a process can hold.
LONGEST_S = 30 * 86_400
MOST = 1_000_000

Seconds = Annotated[float, Field(gt=0, le=LONGEST_S)]
SecondsOrNone = Annotated[float, Field(ge=0, le=LONGEST_S)]
Count = Annotated[int, Field(ge=1, le=MOST)]

ENV_PREFIX = "USHER_"


class _Group(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="ignore", use_attribute_docstrings=True, hide_input_in_errors=True
    )


class DatabaseSettings(_Group):
    """Postgres, the only state."""

    database_url: SecretStr
    """SQLAlchemy URL of the Postgres database: postgresql+psycopg://user:password@host:5432/name."""

    database_pool_size: Annotated[int, Field(ge=4, le=200)] = 10
    """Most connections one process opens. The sum over all processes must stay below Postgres' max_connections."""

    database_pooler: Literal["none", "session", "transaction"] = "none"
    """What stands before Postgres: none, or a pooler in mode session or transaction (PgBouncer)."""

    database_session_url: SecretStr = SecretStr("")
    """With a pooler in mode transaction: the URL of Postgres itself, for leadership, which is a lock of a session."""


class RedisSettings(_Group):
    """Redis, the fast path of commands."""

    redis_url: SecretStr = SecretStr("")
    """Redis for the fast path of commands: redis://host:6379/0. Empty: commands travel in callback replies only."""

    bot_redis_url: SecretStr = SecretStr("")
    """Redis as bots reach it. Its user is shared by all bots and may only subscribe, unless `bot_redis_secret` is."""

    bot_redis_secret: SecretStr = SecretStr("")
    """operate: derives a Redis user per bot; `redis_url`'s user must manage users. 32 characters, or empty: shared."""

    bot_redis_transcripts: bool = False
    """operate: with `bot_redis_secret`, a bot may write there what Vexa's bots write: the stream of transcripts, and
    the channels and keys of its own meeting. Needs Redis 7."""


class BotSettings(_Group):
    """What a bot's Job and pod are made of."""

    namespaces: Annotated[tuple[str, ...], NoDecode] = ("usher-bots",)
    """Namespaces whose BotRequests are served, comma-separated. Fixed, so that no cluster-wide right is needed."""

    bot_image: str = "usher.dev/bot:dev"
    """The image of a bot of the drivers exec and simulated whose BotRequest names none."""

    browser_image: str = "usher.dev/bot-browser:dev"
    """The image of a bot of the driver browser whose BotRequest names none."""

    browser_options: Annotated[dict[str, Any], NoDecode] = {}
    """Options of the browser driver for all its bots, as a JSON object such as {"silence_s": 600}."""

    browser_resources: Annotated[dict[str, dict[str, Quantity | int]], NoDecode] = {}
    """What a browser bot's container asks for where its BotRequest does not say, as JSON, over Usher's own defaults."""

    browser_seccomp_profile: str = ""
    """A seccomp profile of the nodes that lets Chromium's sandbox start. Empty: RuntimeDefault, mostly without it."""

    bot_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """The pull policy of bots' images."""

    allowed_images: Annotated[tuple[str, ...], NoDecode] = ()
    """Globs of images that a BotRequest may name, comma-separated. A `*` does not match a `/`, and the registry is
    matched whole. Empty: only `bot_image` and `browser_image`."""

    allowed_priority_classes: Annotated[tuple[str, ...], NoDecode] = ()
    """PriorityClasses that a BotRequest may name, comma-separated. Empty: only `bot_priority_class`."""

    allowed_tolerations: Annotated[tuple[str, ...], NoDecode] = ()
    """Globs of taint keys that a BotRequest may tolerate, comma-separated. Empty: none."""

    bot_max_cpu: Quantity = "8"
    """The most cores that a BotRequest may ask for."""

    bot_max_memory: Quantity = "8Gi"
    """The most memory that a BotRequest may ask for."""

    bot_max_ephemeral_storage: Quantity = "20Gi"
    """The most disk space that a BotRequest may ask for."""

    allowed_private_meeting_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Jitsi hosts of private networks that bots may join, comma-separated; `*` stays within a label. Empty: none."""

    bot_service_account: str = "usher-bot"
    """The ServiceAccount of bots; it needs no rights at all."""

    bot_priority_class: str = ""
    """The PriorityClass of bots whose BotRequest names none. Empty: the cluster's default."""

    default_driver: Literal["browser", "exec", "simulated"] = "browser"
    """The driver of a BotRequest that names none. Bots of the driver simulated join no meeting."""

    default_command: Annotated[tuple[str, ...], NoDecode] = ()
    """The program of the exec driver where a BotRequest names none, as JSON: ["node", "/app/bot.js"]."""

    bot_class: Annotated[BotClass, NoDecode] = BotClass()
    """What the installation gives its own bots, as JSON: env, envFrom, resources, shmSize, volumes, nodeSelector, … The
    chart makes it of its `bot.*` values."""

    meeting_token_secret: SecretStr = SecretStr("")
    """operate: the ADMIN_TOKEN of Vexa's services. The installation's own bots get a key (BOT_TOKEN) that is good for
    their meeting at the collector and the receiver of recordings. 32 characters, or empty: none."""

    meeting_token_issuer: Literal["meeting-api", "bot-manager"] = "meeting-api"  # noqa: S105
    """Who these services expect to have minted the key: bot-manager with Vexa 0.9, meeting-api later."""

    callback_url: str = "http://usher-callbacks.usher-system.svc.cluster.local:8081"
    """Where bots reach the callback server."""

    termination_grace_s: Annotated[int, Field(ge=1, le=600)] = 45
    """Seconds between SIGTERM and SIGKILL: enough to leave a meeting and to report it through a short outage."""

    duration_grace_s: Annotated[int, Field(ge=30, le=LONGEST_S)] = 120
    """Kubernetes ends a Job this long after its maximum duration, if everything else failed."""


class TokenSettings(_Group):
    """The tokens with which bots prove who they are."""

    token_audience: str = "usher-callback"  # noqa: S105
    """The audience of bots' tokens; no other token of the cluster is accepted."""

    token_issuers: Annotated[tuple[str, ...], NoDecode] = ()
    """Issuers of the cluster's ServiceAccount tokens, comma-separated. Empty: what the API server publishes."""


class SilenceSettings(_Group):
    """When the stale rules fail a meeting, and when they must not."""

    heartbeat_interval_s: Annotated[float, Field(ge=HEARTBEAT_INTERVAL_S_MIN, le=HEARTBEAT_INTERVAL_S_MAX)] = 30
    """The time between two heartbeats of a bot. The default timeout is four of them."""

    heartbeat_timeout_s: Seconds = 120
    """An active bot without a heartbeat for this long is failed."""

    reserved_timeout_s: Seconds = 300
    """A reservation whose bot never reported its start is failed; long enough for a cold image pull."""

    starting_timeout_s: Seconds = 600
    """A bot that did not join its meeting is failed, but never before its lobby timeout and a minute are over."""

    stopping_timeout_s: Seconds = 300
    """A bot that said it was leaving and never reported its exit is failed."""

    outage_credit_s: SecondsOrNone = 3600
    """Silence during an outage of Usher's own does not count against a bot, up to this much."""

    brownout_min_bots: Count = 5
    """Stale checks pause when at least this many bots are silent at once, and more than the share below."""

    brownout_share: Annotated[float, Field(gt=0, le=1)] = 0.55
    """The share of silent bots above which stale checks pause; Kubernetes' node controller uses 0.55 too."""

    brownout_limit_s: Seconds = 900
    """Stale checks resume after this long: bots do die together when their nodes do, and every meeting must end."""

    brownout_small_fleet_s: SecondsOrNone = 240
    """A fleet of fewer bots, all of them late, is not judged for this long: it may be the network. 0: at once."""

    stale_checks_enabled: bool = True
    """operate: whether stale rules end meetings. If false, only a finished Job ends what its bot did not end."""

    stale_ends_per_minute: Annotated[float, Field(gt=0, le=MOST)] = 600
    """Most meetings that stale rules end in a minute, so that a wrong verdict is seen in time."""


class ReconcilerSettings(_Group):
    """How often operate sweeps, and how long it waits before it acts."""

    reconcile_interval_s: Seconds = 10
    """The time between two sweeps. It bounds how long anything that the watch missed stays unrepaired."""

    leader_lease_s: Annotated[float, Field(ge=1, le=86_400)] = 15
    """operate: one that pauses for this long loses leadership, and acts no more when it wakes; 3/4 of it are safe."""

    orphan_grace_s: Seconds = 60
    """A Job without a live row, or a row without a Job, is repaired after this long."""

    epoch_config_map: str = "usher-epoch"
    """operate: the ConfigMap that records how far the database had come, so that a restart knows whether it went back.
    It must exist. Empty: only what one process has seen is known."""

    epoch_namespace: str = ""
    """operate: the namespace of that ConfigMap. Empty: the one that operate runs in."""

    leave_grace_s: Seconds = 60
    """After a leave command is ignored for this long, the bot's Job is deleted, which sends SIGTERM."""

    history_days: Annotated[float, Field(ge=0, le=36_500)] = 90
    """What Usher keeps of an ended meeting (row, transitions, webhooks) is deleted after this; 0: never."""

    evidence_enabled: bool = True
    """operate: whether evidence of failed meetings is collected: Events and the last log lines of their pods."""

    evidence_days: Annotated[float, Field(ge=0, le=36_500)] = 30
    """Evidence of a failed meeting is deleted after this, at the latest with its history; 0: with its history."""

    status_write_interval_s: Seconds = 1
    """How often changed rows are written to their BotRequests."""

    status_write_delay_s: Seconds = 5
    """Brief statuses (starting, stopping) are written only when they last this long: each costs an API write."""


class ApiSettings(_Group):
    """The REST and admin API."""

    api_enabled: bool = True
    """serve: whether the REST and admin API is served. If false, it answers 503; BotRequests work as before."""

    legacy_statuses: bool = False
    """serve: the REST API says requested, joining and awaiting_admission where Vexa 0.6 to 0.10 did."""

    admin_api_key: SecretStr = SecretStr("")
    """serve: the key that X-Admin-API-Key must have, at least 16 characters. Empty: the admin API answers 403."""

    gateway_secret: SecretStr = SecretStr("")
    """serve: the INTERNAL_API_SECRET of Vexa's gateways, which then check keys here. They read changes of status on the
    Redis of `redis_url`, whose user publishes on bm:meeting:* and u:*. Empty: gateways get 503."""

    media_upstream: str = ""
    """serve: the URL of the service that answers for transcripts, recordings and chat. Empty: these routes are 501."""


class WebhookSettings(_Group):
    """Webhooks of users."""

    webhooks_enabled: bool = True
    """serve: whether users' webhooks are sent. If false, they wait in the database and none is lost."""

    webhook_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Receivers of webhooks that may have private addresses: host globs, addresses or networks, comma-separated."""


class ServerSettings(_Group):
    """Ports, connections and the shutdown of HTTP servers."""

    api_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """serve: the public API and health."""

    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 8083
    """serve: metrics, for Prometheus only."""

    callback_port: Annotated[int, Field(ge=0, le=65535)] = 8081
    """serve: callbacks of bots, for the cluster only."""

    operate_port: Annotated[int, Field(ge=0, le=65535)] = 8082
    """operate: health and metrics."""

    bind_host: str = ""
    """The address to listen on. Empty: every address of IPv4 and of IPv6."""

    max_connections: Count = 20_000
    """Most open connections on each port. Beyond it, the client with the most makes room for one with fewer."""

    drain_s: SecondsOrNone = 5
    """serve: after SIGTERM it goes on serving for this long, until no load balancer sends it requests."""

    shutdown_timeout_s: Seconds = 30
    """serve: requests in flight get this long to finish."""


class LogSettings(_Group):
    """Logs."""

    log_format: Literal["json", "text"] = "json"
    """JSON in the cluster, text for a terminal."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The lowest level that is logged."""
