"""`python -m dev.conference`: the command line of the test conference."""

import argparse
import shlex
import sys

from dev.conference import browser, certificate, front, livekit, pages
from dev.conference.settings import Settings, for_cluster, load
from dev.machine import processes
from dev.machine.errors import DevError
from dev.machine.locking import exclusive
from dev.machine.progress import Progress

COMMANDS = {
    "up": "install and build what is missing, and start the conference; safe to repeat, also after a killed run",
    "down": "stop it; what was built stays in the cache",
    "status": "show what runs and where",
    "env": 'print the addresses for tests: eval "$(python -m dev.conference env)"',
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 failed (or, for status, not all up), 2 misused."""
    options = _parser().parse_args(arguments)
    settings, progress = for_cluster() if options.cluster else load(), Progress()
    try:
        return _run(options.command, settings=settings, progress=progress)
    except DevError as error:
        print(f"dev.conference: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:{width}}  {does}" for name, does in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m dev.conference",
        description="A conference on loopback: LiveKit behind our page (17890), Jitsi's (17891) and stand-ins (17892).",
        epilog=f"commands:\n{listed}\n\nUSHER_CACHE moves its folder, USHER_CONFERENCE_PORT its first port.\n"
        "It is for tests only: its secret is public.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cluster", action="store_true", help="the one that pods of the local cluster reach")
    parser.add_argument("command", choices=COMMANDS, metavar="command", help=" | ".join(COMMANDS))
    return parser


def _run(command: str, *, settings: Settings, progress: Progress) -> int:
    if command == "status":
        return _status(settings)
    if command == "env":
        return _env(settings)
    with exclusive(settings.home / "lock", progress=progress):
        if command == "up":
            _up(settings, progress=progress)
        else:
            _down(settings, progress=progress)
    return 0


def _up(settings: Settings, *, progress: Progress) -> None:
    browser.ensure(settings, progress=progress)
    certificate.ensure(settings)
    livekit.build(progress=progress)
    pages.ensure(settings, progress=progress)
    livekit.up(settings, progress=progress)
    front.up(settings, progress=progress)
    progress.say(f"the conference is up: {settings.meeting_url}/m/ROOM, Jitsi's pages: {settings.jitsi_url}/ROOM")


def _down(settings: Settings, *, progress: Progress) -> None:
    front.down(settings)
    processes.stop(livekit.process(settings))
    progress.say("the conference is stopped")


def _status(settings: Settings) -> int:
    wanted = [(livekit.process(settings), settings.livekit_url), (front.process(settings), settings.meeting_url)]
    print(f"{'SERVER':10}{'PID':>8}  {'STATE':9}{'AGE':>8}  URL, LOG")
    absent = 0
    for process, url in wanted:
        seen = processes.find(process)
        absent += seen is None
        shown = (str(seen.pid), "running", f"{seen.age_s:.0f} s") if seen else ("-", "stopped", "-")
        print(f"{process.name:10}{shown[0]:>8}  {shown[1]:9}{shown[2]:>8}  {url}  {process.log}")
    return 1 if absent else 0


def _env(settings: Settings) -> int:
    addresses = {
        "USHER_CONFERENCE_URL": settings.meeting_url,
        "USHER_CONFERENCE_JITSI_URL": settings.jitsi_url,
        "USHER_CONFERENCE_STAND_INS": settings.stand_ins,
        "USHER_CONFERENCE_PIN": certificate.pin(settings.certificate),
    }
    for name, value in addresses.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
