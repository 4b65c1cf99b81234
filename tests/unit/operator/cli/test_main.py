"""The `usher` command without a database: it explains itself, and says which setting is missing."""

import re

import pytest
import typer.main
from typer.testing import CliRunner

from usher_operator.cli import main
from usher_operator.settings import ENV_PREFIX, Settings

COMMANDS = [
    "operate",
    "serve",
    "run",
    "db upgrade",
    "db check",
    "user add",
    "user list",
    "user set-limit",
    "user remove",
    "token create",
    "token list",
    "token revoke",
    "why",
    "follow",
    "bots",
    "meetings",
    "leave",
    "slo",
    "adopt",
    "adopt-legacy",
    "smoke",
    "probe",
    "drain",
]
ARGUMENTS = {
    "user add": ["a@example.org"],
    "user set-limit": ["a@example.org", "3"],
    "user remove": ["a@example.org"],
    "token create": ["a@example.org"],
    "token list": ["a@example.org"],
    "token revoke": ["1"],
    "why": ["1"],
    "follow": ["standup"],
    "leave": ["standup"],
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(ENV_PREFIX + name.upper(), raising=False)


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main.app, list(arguments), env={"NO_COLOR": "1", "COLUMNS": "200"})
    return done.exit_code, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout), re.sub(r"\x1b\[[0-9;]*m", "", done.stderr)


def test_the_list_of_commands_in_this_file_is_complete() -> None:
    group = typer.main.get_command(main.app)
    found = set()
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        found |= {f"{name} {inner}" for inner in getattr(command, "commands", {})} or {name}
    assert set(COMMANDS) == found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    code, out, _ = run(*command.split(), "--help")
    assert code == 0
    usage, sentence = (line.strip() for line in out.splitlines() if line.strip() and line.strip()[0] not in "╭│╰")
    assert usage.startswith(f"Usage: root {command} [OPTIONS]")
    assert re.fullmatch(r"[A-Z].*\.", sentence)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "probe"])
def test_every_command_says_which_setting_is_missing(command: str) -> None:
    code, out, err = run(*command.split(), *ARGUMENTS.get(command, []))
    assert (code, out) == (2, "")
    assert err.startswith("Usher cannot start; correct these settings:\nUSHER_DATABASE_URL: is not set (SQLAlchemy URL")


def test_a_wrong_setting_does_not_show_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USHER_DATABASE_URL", "postgres://usher:hunter22@db/usher")
    code, _, err = run("bots")
    assert code == 2
    assert "USHER_DATABASE_URL: must look like" in err
    assert "hunter22" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["leave"],
        ["why"],
        ["meetings", "--since", "soon"],
        ["user", "add"],
        ["user", "add", "a@example.org", "-n", "-1"],
        ["bots", "-x"],
    ],
)
def test_wrong_usage_is_told_apart_from_failure(arguments: list[str]) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert "Usage:" in err


@pytest.mark.parametrize("arguments", [[], ["db"], ["user"], ["token"]])
def test_without_a_command_the_help_is_shown(arguments: list[str]) -> None:
    _, out, err = run(*arguments)
    assert "Usage:" in out + err
    assert "Commands" in out + err


def test_the_version_is_printed() -> None:
    code, out, _ = run("--version")
    assert code == 0
    assert re.fullmatch(r"usher \d+\.\d+\.\d+\S*\n", out)
