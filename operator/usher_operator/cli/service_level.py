"""`usher slo`: how many bots did what they were asked for, and through whom the others were lost."""

from typing import Annotated, Any

import typer

from usher_models.db.engine import Database
from usher_models.db.service_level import count_ends
from usher_models.service_level import PARTIES, EndCount, ServiceLevel, service_level
from usher_operator.cli import output
from usher_operator.cli.durations import Duration
from usher_operator.cli.runner import AsJson, execute, with_database

HOUR_S = 3600.0
ALL = "all"


def slo(
    since: Annotated[float, Duration("--since", help="Bots that ended within this time, such as 1h or 7d.")] = "7d",  # type: ignore[assignment]
    objective: Annotated[
        float, typer.Option(min=50, max=99.999, help="The percentage of bots that may not be lost through us.")
    ] = 99.0,
    as_json: AsJson = False,
) -> None:
    """Show how many bots joined, and through whom others were lost."""

    async def read(database: Database) -> tuple[list[EndCount], list[EndCount]]:
        async with database.transaction() as connection:
            return await count_ends(connection, since_s=since), await count_ends(connection, since_s=HOUR_S)

    ends, last_hour = execute(with_database(read))
    levels = _by_platform(ends)
    budget = _budget(levels[ALL], service_level(last_hour), objective=objective / 100)
    if as_json:
        output.print_json({"platforms": {name: _json(level) for name, level in levels.items()}} | budget)
    else:
        output.print_table(("platform", "attempts", "joined", *PARTIES), map(_cells, levels.items()))
        output.print_line(_sentence(budget, objective=objective))


def _by_platform(ends: list[EndCount]) -> dict[str, ServiceLevel]:
    platforms = sorted({end.platform for end in ends})
    each = {name: service_level(end for end in ends if end.platform == name) for name in platforms}
    return each | {ALL: service_level(ends)}


def _cells(row: tuple[str, ServiceLevel]) -> list[object]:
    name, level = row
    return [name, level.attempts, level.joined, *(level.lost[party] for party in PARTIES)]


def _json(level: ServiceLevel) -> dict[str, Any]:
    return {"attempts": level.attempts, "joined": level.joined, "lost": level.lost}


def _budget(level: ServiceLevel, last_hour: ServiceLevel, *, objective: float) -> dict[str, Any]:
    return {
        "objective": objective,
        "error_budget": round(level.budget(objective), 1),
        "lost_through_us": level.lost_through_us,
        "burn_rate": round(level.burn_rate(objective), 2),
        "burn_rate_last_hour": round(last_hour.burn_rate(objective), 2),
    }


def _sentence(budget: dict[str, Any], *, objective: float) -> str:
    return (
        f"{budget['lost_through_us']} bots were lost through the cluster, Usher or the bot; with an objective of"
        f" {objective:g} % {budget['error_budget']:g} may be. Burn rate: {budget['burn_rate']:g}, in the last hour"
        f" {budget['burn_rate_last_hour']:g}."
    )
