"""A running bot takes on another language: within a moment by Redis, and by the reply to its next heartbeat without."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.kit import Bot, Cluster, Record, User, eventually

pytestmark = pytest.mark.alone

BEAT_S = 5
# By Redis alone: from the operator's order to the bot's log line. By chance a heartbeat is as fast once in five times.
REDIS_S = 1.0
# Beside the beat: the watch, a Redis that does not answer (2 s each channel at most), and the bot's own retry.
LATE_S = 10


@pytest.fixture(scope="module")
def bot(cluster: Cluster, user: User) -> Iterator[Bot]:
    """A bot in its meeting that listens to Redis."""
    bot = cluster.a_bot(user, called="linguist").asking(language="en").apply()
    bot.wait_for("Joined")
    eventually("the bot to listen to Redis", lambda: _times_subscribed(bot))
    yield bot
    bot.delete()


def test_by_redis_a_change_of_language_arrives_within_a_second(
    cluster: Cluster, bot: Bot, record_property: Record
) -> None:
    delays = [_delay(cluster, bot, language=language) for language in ("de", "fr", "nl")]
    record_property("from the order to the bot, s", ", ".join(f"{delay:.3f}" for delay in delays))
    assert max(delays) < REDIS_S


def test_without_redis_it_arrives_by_the_next_heartbeat_and_redis_is_used_again_when_it_is_back(
    cluster: Cluster, bot: Bot, record_property: Record
) -> None:
    times = _times_subscribed(bot)
    with cluster.without("redis", "statefulset/usher-redis"):
        delay = _delay(cluster, bot, language="pt-BR")
        record_property("from the order to the bot, without Redis, s", f"{delay:.1f}")
        assert delay < BEAT_S + LATE_S
        assert bot.row()["status"] == "active"
    eventually("the bot to come back to Redis", lambda: _times_subscribed(bot) > times)
    delays = [_delay(cluster, bot, language=language) for language in ("it", "es")]
    record_property("from the order to the bot, Redis being back, s", ", ".join(f"{delay:.3f}" for delay in delays))
    assert max(delays) < REDIS_S


def _delay(cluster: Cluster, bot: Bot, **spec: Any) -> float:
    """Change the spec, wait until the bot has acknowledged it, and say how long the order was on its way."""
    generation = int(bot.row()["config_generation"]) + 1
    bot.edit(**spec)
    bot.wait_for_row(config_generation=generation, applied_generation=generation, within=30)
    words = cluster.operator_words(lines=500)
    ordered = _said_at(words, action="reconfigure_requested", meeting_id=bot.row()["meeting_id"])
    return (_said_at(bot.words(), action="reconfigured") - ordered).total_seconds()


def _times_subscribed(bot: Bot) -> int:
    return sum(word.get("action") == "redis_subscribed" for word in bot.words())


def _said_at(words: list[dict[str, Any]], **fields: Any) -> datetime:
    """When that was logged last."""
    newest = [word for word in words if all(word.get(name) == value for name, value in fields.items())][-1]
    return datetime.strptime(newest["time"], "%Y-%m-%d %H:%M:%S,%f").replace(tzinfo=UTC)
