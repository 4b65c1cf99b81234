"""`usher smoke`, `usher probe` and `usher drain`: how an installation is tested, and emptied before it is removed.

The client of Kubernetes is imported where it is needed: it takes more memory than all other commands need.
"""

import asyncio
import time
from typing import Annotated
from uuid import uuid4

import aiohttp
import typer

from usher_models.db.engine import Database
from usher_operator.cli.runner import execute, fail, settings_or_exit, with_database
from usher_operator.kube.port import CreateRefused

PROBE_TIMEOUT_S = 5
PROBE_INTERVAL_S = 1


def smoke(
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="Give up after this many seconds.")] = 120,
) -> None:
    """Let one simulated bot live its whole life; exit 1 if it does not."""
    from usher_operator.cli.smoke import Smoke
    from usher_operator.kube.adapter import KubeAdapter

    namespace = settings_or_exit().namespaces[0]

    async def test(database: Database) -> bool:
        async with KubeAdapter.connect() as kube:
            one = Smoke(database=database, kube=kube, namespace=namespace, say=typer.echo)
            return await one.run(f"smoke-{uuid4().hex[:8]}", timeout_s=timeout_s, clock=time.monotonic)

    try:
        completed = execute(with_database(test))
    except CreateRefused as exc:
        fail(f"The API server refused the BotRequest: {exc}")
    if not completed:
        fail("The bot did not complete its meeting. The logs of operate and of the bot's pod say why.")


def probe(
    urls: Annotated[list[str], typer.Argument(help="URLs that must be answered.")],
    wait_s: Annotated[float, typer.Option("--wait", min=0, help="Keep trying for this many seconds.")] = 60,
) -> None:
    """Ask each URL until a server answers that is well (below 500); exit 1 if one does not."""

    async def ask() -> dict[str, str]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PROBE_TIMEOUT_S)) as session:
            return {url: await _answer(session, url, deadline=time.monotonic() + wait_s) for url in urls}

    answers = execute(ask())
    for url, answer in answers.items():
        typer.echo(f"{url}: {answer}")
    raise typer.Exit(0 if all(map(_is_well, answers.values())) else 1)


async def _answer(session: aiohttp.ClientSession, url: str, *, deadline: float) -> str:
    while True:
        try:
            async with session.get(url) as response:
                answer = str(response.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            answer = str(exc) or type(exc).__name__
        if _is_well(answer) or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(PROBE_INTERVAL_S)


def _is_well(answer: str) -> bool:
    return answer.isdecimal() and int(answer) < 500


def drain(
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="Go on after this many seconds.")] = 200,
    revoke: Annotated[
        list[str] | None, typer.Option(help="RoleBindings to delete first: those that let Usher start bots.")
    ] = None,
) -> None:
    """Withdraw every BotRequest and wait until each bot has left and its row is closed. Exit 0 also when time is up."""
    from usher_operator.cli.drain import Drain
    from usher_operator.kube.adapter import KubeAdapter

    namespaces = settings_or_exit().namespaces

    async def empty(database: Database) -> bool:
        async with KubeAdapter.connect() as kube:
            one = Drain(database=database, kube=kube, namespaces=namespaces, say=typer.echo)
            return await one.run(revoking=tuple(revoke or ()), timeout_s=timeout_s, clock=time.monotonic)

    if not execute(with_database(empty)):
        typer.echo("Time is up; what is left is removed with its namespace, or by hand.", err=True)
