"""`usher adopt`: which bots run without a row, and what the next sweep does with each; with --apply, does it now.

It looks with the eyes of the sweep (`lifecycle.lost_bots`) and adopts with its hands (`lifecycle.adopt`), so it may run
beside operate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import typer

from usher_models.db import bots
from usher_models.db.engine import Database
from usher_operator.cli import output
from usher_operator.cli.runner import AsJson, execute, settings_or_exit, with_database
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job_status import connection_id_of, meeting_id_of
from usher_operator.kube.port import Json
from usher_operator.lifecycle.adopt import Adopter
from usher_operator.lifecycle.allowed_spec import AllowedSpec
from usher_operator.lifecycle.installation import Installation
from usher_operator.lifecycle.lost_bots import SENTENCES, LostBot, without_row

AT_ONCE = 1000
Outcome = Literal["adoptable", "adopted", "left"]


class AdoptPort(Protocol):
    """What of Kubernetes it needs."""

    async def list_jobs(self, namespace: str, *, succeeded: bool = True) -> list[Json]:
        """Every Job that Usher made."""

    async def list_requests(self, namespace: str) -> list[BotRequest]:
        """Every BotRequest."""

    async def foreign_objects(self, namespace: str, *, installation: str) -> list[str]:
        """What carries the id of another installation."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A Job without a row, and what becomes of it. `why` and `message`: why it is left."""

    meeting_id: int | None
    user_id: int | None
    namespace: str
    job: str
    request: str | None
    connection_id: str | None
    outcome: Outcome
    why: str | None
    message: str | None


class LostBots:
    """The Jobs of this installation that have no row."""

    def __init__(self, *, database: Database, kube: AdoptPort, adopter: Adopter, installation: str) -> None:
        self._database = database
        self._kube = kube
        self._adopter = adopter
        self._installation = installation

    async def settle(self, namespaces: Sequence[str], *, apply: bool) -> list[Found]:
        """What becomes of each; with `apply`, adopted now. Raises KubernetesUnavailable, DatabaseUnavailable."""
        return [
            await self._settle(namespace, lost, apply=apply)
            for namespace in namespaces
            for lost in await self._lost(namespace)
        ]

    async def count_foreign(self, namespaces: Sequence[str]) -> int:
        """How many Jobs and BotRequests there belong to another installation."""
        found = [await self._kube.foreign_objects(name, installation=self._installation) for name in namespaces]
        return sum(map(len, found))

    async def _lost(self, namespace: str) -> list[LostBot]:
        jobs = await self._kube.list_jobs(namespace, succeeded=False)
        requests = {request.connection_id: request for request in await self._kube.list_requests(namespace)}
        return list(without_row(jobs, requests, rows=await self._rows([connection_id_of(job) or "" for job in jobs])))

    async def _rows(self, connection_ids: list[str]) -> set[str]:
        known: set[str] = set()
        for at in range(0, len(connection_ids), AT_ONCE):
            async with self._database.reading() as connection:
                known |= set(await bots.requests_of(connection, connection_ids[at : at + AT_ONCE]))
        return known

    async def _settle(self, namespace: str, lost: LostBot, *, apply: bool) -> Found:
        request, job = lost.request, lost.job
        why: str | None = lost.left
        outcome: Outcome = "left"
        if why is None and request is not None:
            why = await self._adopter.why_not(request, job)
            if why is None:
                adopted = apply and await self._adopter.adopt(request, job) is not None
                outcome = "adopted" if adopted else "adoptable"
        return Found(
            meeting_id=meeting_id_of(job),
            user_id=lost.user_id,
            namespace=namespace,
            job=job["metadata"]["name"],
            request=request.name if request else None,
            connection_id=connection_id_of(job),
            outcome=outcome,
            why=why,
            message=SENTENCES[why] if why else None,
        )


def adopt(
    apply: Annotated[
        bool, typer.Option("--apply/--dry-run", help="Put the rows back now; --dry-run only says what would be done.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List bots that run although the database has lost their rows; put the rows back with --apply. operate does the
    same with each sweep."""
    from usher_operator.kube.adapter import KubeAdapter

    settings = settings_or_exit()

    async def look(database: Database) -> tuple[list[Found], int]:
        async with KubeAdapter.connect() as kube:
            kube.installation = await Installation(database).id()
            adopter = Adopter(database=database, allowed=AllowedSpec(settings))
            lost = LostBots(database=database, kube=kube, adopter=adopter, installation=kube.installation)
            return await lost.settle(settings.namespaces, apply=apply), await lost.count_foreign(settings.namespaces)

    found, foreign = execute(with_database(look))
    show(found, foreign=foreign, as_json=as_json)


def show(found: Sequence[Found], *, foreign: int, as_json: bool) -> None:
    """Print what was found, and why what is left is."""
    if as_json:
        output.print_json([vars(each) for each in found])
        return
    if found:
        output.print_lost_bots([_cells(each) for each in found])
    for why, message in sorted({(each.why, each.message) for each in found if each.why}):
        output.print_line(f"{why}: {message}")
    for line in _summary(found, foreign=foreign):
        output.print_line(line)


def _cells(found: Found) -> list[output.Cell]:
    request = f"{found.namespace}/{found.request}" if found.request else None
    return [found.meeting_id, found.user_id, found.job, request, found.outcome, found.why]


def _summary(found: Sequence[Found], *, foreign: int) -> list[str]:
    counts = {outcome: sum(each.outcome == outcome for each in found) for outcome in ("adopted", "adoptable", "left")}
    lines = []
    if not found:
        lines.append("Every bot that runs has its row.")
    if counts["adopted"]:
        lines.append(f"Put back {counts['adopted']} rows.")
    if counts["adoptable"]:
        lines.append(
            f"{counts['adoptable']} can be adopted: operate does with its next sweep, or `usher adopt --apply`."
        )
    if counts["left"]:
        lines.append(f"{counts['left']} are left as they are.")
    if foreign:
        lines.append(f"{foreign} Jobs or BotRequests belong to another installation and are not looked at.")
    return lines
