"""From an answer to a delivery's result, log line and metric: never with the URL, the secret or the receiver's text."""

import logging

from yarl import URL

from usher_models.db.webhook_deliveries import Claim, Result
from usher_operator.telemetry import WEBHOOKS
from usher_operator.webhooks.backoff import retry_in_s
from usher_operator.webhooks.transport import Answer

logger = logging.getLogger(__name__)

NO_WEBHOOK = "The user has removed the webhook."
GONE = 410


def result_of(claimed: Claim, answer: Answer) -> Result:
    """Delivered, to be retried, or failed. A receiver that answers 410 gets no more requests."""
    gone = answer.status == GONE
    over = answer.delivered or gone or claimed.url is None
    return Result(
        delivered=answer.delivered,
        status=answer.status,
        error=answer.error,
        retry_in_s=None if over else retry_in_s(claimed.attempts),
        gone=gone,
    )


def report(claimed: Claim, answer: Answer, result: Result, *, paused: bool) -> None:
    """Log and count the outcome of an attempt."""
    outcome = _outcome(answer, result)
    WEBHOOKS.labels(outcome=outcome).inc()
    extra = fields(claimed, f"webhook_{outcome}")
    if result.delivered:
        logger.debug("A webhook was delivered.", extra=extra)
    else:
        logger.info("A webhook was not delivered: %s", _summary(answer), extra=extra)
    if paused:
        WEBHOOKS.labels(outcome="paused").inc()
        logger.warning("A user's webhook is paused.", extra=extra | {"action": "webhook_paused"})


def _outcome(answer: Answer, result: Result) -> str:
    if result.delivered:
        return "delivered"
    if result.retry_in_s is None:
        return "failed"
    return "refused" if answer.refused else "retried"


def _summary(answer: Answer) -> str:
    """The outcome, without the receiver's text."""
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
