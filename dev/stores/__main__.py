"""`python3 -m dev.stores`: the command line of the test stores."""

import argparse
import shlex
import sys

from dev.machine import debian, processes
from dev.machine.errors import DevError
from dev.machine.locking import exclusive
from dev.machine.progress import Progress
from dev.stores import hostile, pgbouncer, postgres, redis
from dev.stores.settings import (
    DATABASE_URL,
    PGBOUNCER_PACKAGES,
    POSTGRES_PACKAGES,
    REDIS_PACKAGES,
    REDIS_URL,
    Settings,
    given,
    load,
)

COMMANDS = {
    "up": "install what is missing and start both stores; safe to repeat, also after a killed run",
    "down": "stop both stores; Postgres keeps its data",
    "status": "show what runs and where",
    "env": 'print the URLs for the tests: eval "$(python3 -m dev.stores env)"',
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 failed (or, for status, not all up), 2 misused."""
    asked = _parser().parse_args(arguments)
    settings, progress = load(), Progress()
    try:
        return int(_run(asked.command, with_hostile=asked.hostile, settings=settings, progress=progress))
    except DevError as error:
        print(f"dev.stores: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:{width}}  {does}" for name, does in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python3 -m dev.stores",
        description="A private Postgres (127.0.0.1:24329) and Redis (127.0.0.1:63799) for integration tests.",
        epilog=f"commands:\n{listed}\n\nUSHER_STORES moves their folder. The data is for tests only. If\n"
        f"{DATABASE_URL} and {REDIS_URL} are set, tests use those and `up` starts none.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="command", help=" | ".join(COMMANDS))
    about = "up: prepare a role with hostile settings too, and PgBouncer (127.0.0.1:24330) before it"
    parser.add_argument("--hostile", action="store_true", help=about)
    return parser


def _run(command: str, *, with_hostile: bool, settings: Settings, progress: Progress) -> int:
    if command == "status":
        return _status(settings)
    if command == "env":
        print(f"export {DATABASE_URL}={shlex.quote(settings.database_url)}")
        print(f"export {REDIS_URL}={shlex.quote(settings.redis_url)}")
        return 0
    if command == "up" and given():
        progress.say(f"nothing is started: {DATABASE_URL} and {REDIS_URL} name the stores")
        return 0
    with exclusive(settings.home / "lock", progress=progress):
        if command == "up":
            _up(settings, progress=progress)
            if with_hostile:
                _up_hostile(settings, progress=progress)
        else:
            pgbouncer.down(settings)
            postgres.down(settings)
            redis.down(settings)
            progress.say("Postgres and Redis are stopped")
    return 0


def _up(settings: Settings, *, progress: Progress) -> None:
    log = settings.home / "apt.log"
    if not (settings.postgres_bin / "initdb").exists():
        debian.ensure(POSTGRES_PACKAGES, log=log, progress=progress)
    if not redis.PROGRAM.exists():
        debian.ensure(REDIS_PACKAGES, log=log, progress=progress)
    postgres.up(settings, progress=progress)
    redis.up(settings, progress=progress)
    progress.say(f"Postgres: {settings.database_url}  Redis: {settings.redis_url}")


def _up_hostile(settings: Settings, *, progress: Progress) -> None:
    if not pgbouncer.PROGRAM.exists():
        debian.ensure(PGBOUNCER_PACKAGES, log=settings.home / "apt.log", progress=progress)
    hostile.prepare(settings)
    pgbouncer.up(settings, progress=progress)


def _status(settings: Settings) -> int:
    wanted = [(postgres.process(settings), settings.database_url), (redis.process(settings), settings.redis_url)]
    print(f"{'STORE':10}{'PID':>8}  {'STATE':9}{'AGE':>8}  URL, LOG")
    absent = 0
    for process, url in wanted:
        seen = processes.find(process)
        absent += seen is None
        shown = (str(seen.pid), "running", f"{seen.age_s:.0f} s") if seen else ("-", "stopped", "-")
        print(f"{process.name:10}{shown[0]:>8}  {shown[1]:9}{shown[2]:>8}  {url}  {process.log}")
    return 1 if absent else 0


if __name__ == "__main__":
    sys.exit(main())
