"""What an answer means for a delivery, and how it is told in logs and metrics: never the URL, the secret, or the
receiver's words."""

import logging

from yarl import URL

from usher_models.db.webhook_deliveries import Claim, Result
from usher_operator.telemetry import WEBHOOKS
from usher_operator.webhooks.backoff import retry_in_s
from usher_operator.webhooks.transport import Answer

logger = logging.getLogger(__name__)

NO_WEBHOOK = "The user has no webhook any more."
GONE = 410


def result_of(claimed: Claim, answer: Answer) -> Result:
    """Delivered, tried again later, or failed. A receiver that says 410 is never asked again."""
    gone = answer.status == GONE
    over = answer.taken or gone or claimed.url is None
    return Result(
        delivered=answer.taken,
        status=answer.status,
        error=answer.error,
        retry_in_s=None if over else retry_in_s(claimed.attempts),
        gone=gone,
    )


def tell(claimed: Claim, answer: Answer, result: Result, *, paused: bool) -> None:
    """Log and count how an attempt ended."""
    outcome = _outcome(answer, result)
    WEBHOOKS.labels(outcome=outcome).inc()
    extra = fields(claimed, f"webhook_{outcome}")
    if result.delivered:
        logger.debug("A webhook was delivered.", extra=extra)
    else:
        logger.info("A webhook was not delivered: %s", _short(answer), extra=extra)
    if paused:
        WEBHOOKS.labels(outcome="paused").inc()
        logger.warning("A user's webhook is paused.", extra=extra | {"action": "webhook_paused"})


def _outcome(answer: Answer, result: Result) -> str:
    if result.delivered:
        return "delivered"
    if result.retry_in_s is None:
        return "failed"
    return "refused" if answer.refused else "retried"


def _short(answer: Answer) -> str:
    """Without the receiver's own words."""
    return f"HTTP {answer.status}" if answer.status is not None else str(answer.error)


def fields(claimed: Claim, action: str) -> dict[str, object]:
    """The fields of a log line about a delivery."""
    return {
        "action": action,
        "meeting_id": claimed.meeting_id,
        "event_id": claimed.event_id,
        "user_id": claimed.user_id,
        "attempt": claimed.attempts,
        "host": _host(claimed.url),
    }


def _host(url: str | None) -> str | None:
    try:
        return URL(url).host if url else None
    except ValueError:
        return None
