"""How text of others reaches a terminal."""

import pytest

from usher_operator.cli import output
from usher_operator.cli.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\nlines", "plain\nlines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("bell\x07 and\rreturn", r"bell\x07 and\rreturn"),
        ("right-to-left \u202e override", r"right-to-left \u202e override"),
        ("Zoë Œ 日本", "Zoë Œ 日本"),
        (7, "7"),
    ],
)
def test_control_characters_are_made_visible(text: object, shown: str) -> None:
    assert output.plain(text) == shown


def test_a_table_drops_its_least_columns_until_no_word_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    output.print_table(("id", "place", "status"), [(1, "a-very-long-name-here", "starting")], drop=("place",))
    printed = capsys.readouterr().out
    assert "starting" in printed
    assert "place" not in printed


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("7d", 604_800)])
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1w", "-1h", "h", "1 h", "1h30m"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Exception, match="write 90s, 30m, 2h or 7d"):
        parse_duration(text)
