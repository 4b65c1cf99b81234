"""What is kept of a bot's last transitions for its BotRequest."""

from typing import Any

from usher_models.db.history import LONGEST, PastTransition, to_history


def a_line(minute: int, origin: str | None, target: str, **fields: Any) -> dict[str, Any]:
    at = f"2026-01-01T12:{minute:02}:00.25+00:00"
    line = {"at": at, "origin": origin, "target": target, "source": "bot", "reason": "joined", "fault": None}
    return line | fields


def seconds(history: tuple[PastTransition, ...]) -> list[int | None]:
    return [each.seconds for each in history]


def test_each_line_says_how_long_the_status_before_it_lasted() -> None:
    rows = [a_line(0, None, "reserved"), a_line(1, "reserved", "active"), a_line(9, "active", "failed")]
    assert seconds(to_history(rows)) == [None, 60, 480]


def test_a_late_report_does_not_shorten_the_status_it_did_not_change() -> None:
    rows = [
        a_line(1, "reserved", "active"),
        a_line(2, "active", "active", reason="late_started"),
        a_line(9, "active", "failed"),
    ]
    assert seconds(to_history(rows)) == [None, 60, 480]


def test_the_oldest_line_that_is_kept_knows_its_seconds_from_the_one_before_it() -> None:
    rows = [a_line(minute, "active", "active" if minute else "starting") for minute in range(LONGEST + 1)]
    kept = to_history(rows)
    assert (len(kept), kept[0].at.minute, kept[0].seconds) == (LONGEST, 1, 60)


def test_a_clock_that_went_back_gives_no_negative_seconds() -> None:
    assert seconds(to_history([a_line(5, None, "reserved"), a_line(4, "reserved", "active")])) == [None, 0]


def test_a_bot_without_transitions_has_no_history() -> None:
    assert to_history(None) == ()
