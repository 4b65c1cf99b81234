"""What `usher-bot conformance` takes, and what it says of the rest."""

import pytest

from usher_bot.conformance.main import run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name either a program, behind --, or a driver"),
        (["--driver", "simulated", "--", "sh"], "name either a program, behind --, or a driver"),
        (["--", "no-such-program"], "there is no program 'no-such-program' here"),
        (["--driver", "simulated", "--options", "["], "'[' is not JSON"),
        (["--driver", "simulated", "--options", "[]"], "'[]' is not a JSON object"),
        (["--options", '{"boot_s": 1}', "--", "sh"], "--options are those of the driver"),
        (["--driver", "simulated", "--own-callbacks"], "--own-callbacks is about a program"),
        (["--report", "report.txt", "--", "sh"], "'report.txt' ends neither with .md nor with .json"),
        (["--report", "/no-such-folder/report.md", "--", "sh"], "there is no folder '/no-such-folder'"),
        (["--join-within", "soon", "--", "sh"], "'soon' is not a number of seconds"),
        (["--leave-grace", "1", "--", "sh"], "1 s is not between 5 and 3600"),
        (["--driver", "simulated", "--leave-grace", "nan"], "nan s is not between 5 and 3600"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_right(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(words)
    assert said in capsys.readouterr().err


def test_help_shows_how_to_certify_an_image(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        run(["--help"])
    assert "docker run" in capsys.readouterr().out
