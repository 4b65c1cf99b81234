"""`python -m tests.load.botswarm`: play the bots of a running Usher from the command line."""

import argparse
import asyncio
import sys
from pathlib import Path

from dev.cluster.bare import load as control_plane
from dev.stores.settings import load as stores
from tests.load import rows
from tests.load.botswarm.bot import Identity, Script
from tests.load.botswarm.sources import follow_rows
from tests.load.botswarm.swarm import Swarm
from tests.load.botswarm.tokens import ISSUER, TokenSigner
from usher_models.db.engine import Database

DESCRIPTION = """Play the callback protocol of many bots against a running `usher serve`.

Bots are those whose row has a Job and which have not spoken yet (fake nodes or none: no pod is needed), or with
--bots N, N rows of bots that are in their meetings already, written to the database first. Tokens are signed with
the ServiceAccount key of the bare control plane (`dev.cluster.bare`; --token-key for another): `serve` verifies them as
it does any."""


def main(arguments: list[str] | None = None) -> int:
    """Run until the time is over; 0 when nothing was lost."""
    options = _parser().parse_args(arguments)
    if not options.token_key.exists():
        print(
            f"botswarm: there is no key {options.token_key}; start one: python3 -m dev.cluster.bare up.",
            file=sys.stderr,
        )
        return 2
    try:
        return asyncio.run(_run(options))
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.load.botswarm",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--url", default="http://127.0.0.1:8081", help="the callback server; default %(default)s")
    add("--database-url", default=stores().database_url, help="Usher's database; default: the test stores'")
    add("--redis-url", default="", help="Redis for commands; default: none, commands come in replies")
    add("--token-key", type=Path, default=control_plane().pki / "tokens.key", help="PEM key that signs the tokens")
    add("--issuer", default=ISSUER, help="the issuer in those tokens; default: the local cluster's")
    add("--namespace", default="usher-bots", help="where --bots are said to run; default %(default)s")
    add("--bots", type=int, default=0, metavar="N", help="write and play N bots that are in their meetings")
    add("--beat-s", type=float, default=30.0, help="the interval until the server says otherwise; default %(default)s")
    add("--lobby-s", type=float, default=2.0, help="time in the lobby; default %(default)s")
    add("--meeting-s", type=float, default=3600.0, help="time in the meeting; default %(default)s")
    add("--connections", type=int, default=200, help="connections that the bots share; default %(default)s")
    add("--fresh", action="store_true", help="open a connection for each callback")
    add("--seconds", type=float, default=60.0, help="how long to play; default %(default)s")
    add("--every", type=float, default=10.0, help="seconds between two reports; default %(default)s")
    add("--seed", type=int, help="make phases and waits repeatable")
    return parser


async def _run(options: argparse.Namespace) -> int:
    database = Database.connect(options.database_url, application_name="botswarm", pool_size=2)
    swarm = Swarm(
        url=options.url,
        tokens=TokenSigner.of_file(options.token_key, issuer=options.issuer),
        redis_url=options.redis_url or None,
        connections=options.connections,
        fresh=options.fresh,
        beat_s=options.beat_s,
        seed=options.seed,
    )
    script = Script(lobby_s=options.lobby_s, meeting_s=options.meeting_s, present=bool(options.bots))
    try:
        async with swarm.running():
            if options.bots:
                for identity in await rows.live_bots(database, options.bots, namespace=options.namespace):
                    swarm.add(identity, script)
            await _play(swarm, database, script, options=options)
    finally:
        await database.close()
    print(swarm.figures.table())
    return 1 if swarm.figures.lost else 0


async def _play(swarm: Swarm, database: Database, script: Script, *, options: argparse.Namespace) -> None:
    def script_of(_: Identity) -> Script:
        return script

    following = asyncio.create_task(follow_rows(swarm, database, script_of))
    reporting = asyncio.create_task(_report(swarm, every_s=options.every))
    await asyncio.sleep(options.seconds)
    for task in (following, reporting):
        task.cancel()
    await asyncio.gather(following, reporting, return_exceptions=True)


async def _report(swarm: Swarm, *, every_s: float) -> None:
    before = 0
    while True:
        await asyncio.sleep(every_s)
        total = swarm.figures.acknowledged.total()
        rate = (total - before) / every_s
        before = total
        lost = swarm.figures.lost.total()
        print(f"{len(swarm.live())} bots, {rate:.0f} callbacks/s, {lost} lost, behind by {1000 * swarm.late_s:.0f} ms")


if __name__ == "__main__":
    sys.exit(main())
