"""The `usher` command on the test's database, run as its console script runs it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from typer.testing import CliRunner

from usher_operator.cli import main

Usher = Callable[..., Awaitable[str]]


@pytest.fixture
def usher(monkeypatch: pytest.MonkeyPatch, database_url: str) -> Usher:
    """Runs a command line and returns what it printed; `code` is the expected exit code, `width` the terminal's."""
    monkeypatch.setenv("USHER_DATABASE_URL", database_url)

    async def run(*arguments: str, code: int = 0, width: int = 160) -> str:
        # The command runs an event loop of its own.
        environment = {"COLUMNS": str(width), "NO_COLOR": "1"}
        done = await asyncio.to_thread(CliRunner().invoke, main.app, list(arguments), env=environment)
        assert done.exit_code == code, done.output
        return done.output

    return run
