"""Logs and metrics: one way to write each.

A log line is a sentence plus fields (`action`, `meeting_id`, `connection_id`, `request`); JSON in the cluster. Nothing
secret is ever a field. Metrics are process-wide, as Prometheus wants them, and served by `/metrics`.
"""

import logging
import sys
from contextvars import ContextVar
from typing import Any, Final, Literal, Self

from prometheus_client import Counter, Gauge, Histogram
from pythonjsonlogger.json import JsonFormatter

from usher_models.states import Reason

RESERVATIONS: Final = Counter(
    "usher_reservations", "Requests for a slot, by outcome: admitted, or the code of the refusal.", ["outcome"]
)
CALLBACKS: Final = Counter("usher_callbacks", "Callbacks answered, by kind and HTTP code.", ["kind", "code"])
CALLBACK_SECONDS: Final = Histogram("usher_callback_seconds", "Time to answer a callback, by kind.", ["kind"])


def reason_label(reason: str) -> str:
    """The reason as a label. Bots invent reasons, and each would be a series in every replica for ever."""
    if reason.startswith("exit_code_"):
        return "exit_code"
    return reason if reason in _REASONS else "other"


_REASONS = frozenset(map(str, Reason))


class _Transitions(Counter):
    """A counter whose reasons are bounded, wherever it is incremented."""

    def labels(self, *labelvalues: Any, **labelkwargs: Any) -> Self:
        """One series."""
        if "reason" in labelkwargs:
            labelkwargs["reason"] = reason_label(str(labelkwargs["reason"]))
        return super().labels(*labelvalues, **labelkwargs)


TRANSITIONS: Final = _Transitions(
    "usher_transitions", "Changes of status, by new status, source and reason.", ["target", "source", "reason"]
)
SLO_ATTEMPTS: Final = Counter("usher_slo_attempts", "Bots that ended, however, by platform.", ["platform"])
SLO_JOINED: Final = Counter(
    "usher_slo_joined", "Bots that ended and had been in their meeting, by platform.", ["platform"]
)
SLO_LOST: Final = Counter(
    "usher_slo_lost", "Bots that failed, by platform and whose doing it was.", ["platform", "fault"]
)
COMMANDS: Final = Counter("usher_commands", "Commands published, by action and outcome.", ["action", "outcome"])
LEADER: Final = Gauge("usher_leader", "1 while this operate leads; 0 while it stands by or the database is away.")
SWEEPS: Final = Counter("usher_sweeps", "Sweeps of the reconciler, by outcome.", ["outcome"])
SWEEP_SECONDS: Final = Histogram("usher_sweep_seconds", "Duration of a sweep.")
REPAIRS: Final = Counter("usher_repairs", "Repairs by the reconciler, by failure mode.", ["mode"])
BROWNOUT_ACTIVE: Final = Gauge(
    "usher_brownout_active", "1 while stale checks are paused because most bots are silent at once."
)
BROWNOUTS: Final = Counter("usher_brownouts", "Brownouts, by event: begun or released.", ["event"])
STALE_ENDS_POSTPONED: Final = Counter(
    "usher_stale_ends_postponed", "Stale bots that the rate limit left to a later sweep."
)
LAST_SWEEP: Final = Gauge("usher_last_sweep_timestamp_seconds", "When the last complete sweep ended.")
DATABASE_HELD: Final = Gauge(
    "usher_database_held", "1 while nothing is ended or deleted because the database went back in time."
)
REWINDS: Final = Counter("usher_rewinds", "Signs that the database went back in time, by evidence.", ["evidence"])
EPOCH_RECORDS: Final = Counter(
    "usher_epoch_records", "Reads and writes of the epoch's ConfigMap, by outcome.", ["outcome"]
)
LIVE_BOTS: Final = Gauge("usher_live_bots", "Bots that hold a slot, by status.", ["status"])
BOTS_LEFT_OUT: Final = Gauge("usher_bots_left_out", "Live bots that a sweep cannot reconcile, by why.", ["why"])


def clear_sweep_gauges() -> None:
    """Stop saying what a sweep found: another process says it from now on, and two would be added up."""
    BROWNOUT_ACTIVE.set(0)
    LIVE_BOTS.clear()
    BOTS_LEFT_OUT.clear()


REQUESTS_IN_FLIGHT: Final = Gauge("usher_requests_in_flight", "BotRequests in flight or waiting in the backlog.")
WATCH_RESTARTS: Final = Counter(
    "usher_watch_restarts", "Watches that ended and were started again, by namespace.", ["namespace"]
)
DELETED_REQUESTS: Final = Counter(
    "usher_deleted_requests", "BotRequests that were deleted: erased, or their time is up."
)
STATUS_WRITES: Final = Counter("usher_status_writes", "Status writes to BotRequests, by outcome.", ["outcome"])
EVIDENCE: Final = Counter("usher_evidence", "Bundles of evidence of failed meetings, by outcome.", ["outcome"])
REDIS_USERS: Final = Counter("usher_redis_users", "Redis users of bots, by outcome.", ["outcome"])
READY: Final = Gauge("usher_ready", "1 while this process is ready, by its readiness probe.", ["component"])
WEBHOOKS: Final = Counter("usher_webhooks", "Attempts to deliver a webhook, and pauses, by outcome.", ["outcome"])

# The id of the HTTP request that is being answered; a field of each of its log lines.
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)

_TEXT = "%(asctime)s %(levelname)-7s %(message)s"


def add_request_id(record: logging.LogRecord) -> bool:
    """A logging filter that adds the id of the current request to the record, and keeps every record."""
    request_id = REQUEST_ID.get()
    if request_id is not None:
        record.request_id = request_id
    return True


def configure_logging(*, log_format: Literal["json", "text"], level: str) -> None:
    """Send every log line to standard error, in one format. Libraries speak from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(add_request_id)
    if log_format == "json":
        handler.setFormatter(
            JsonFormatter(
                "%(asctime)s %(levelname)s %(name)s %(message)s",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            )
        )
    else:
        handler.setFormatter(logging.Formatter(_TEXT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("usher_operator", "usher_models"):
        logging.getLogger(name).setLevel(level)
