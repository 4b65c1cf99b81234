"""`usher-bot`: the program that is PID 1 of a bot's container. See docs/reference/bot.md."""

import argparse
import sys

from usher_bot.process import Signals

EPILOG = """\
The settings are environment variables that start with USHER_; docs/reference/bot.md lists them. `usher-bot conformance`
certifies a bot instead of running one; `usher-bot conformance --help` says how."""


def main() -> None:
    """Run one bot, from its settings to its exit code."""
    if sys.argv[1:2] == ["conformance"]:
        from usher_bot.conformance.main import run

        sys.exit(run(sys.argv[2:]))
    signals = Signals()
    signals.install()
    arguments = _parser().parse_args()
    if arguments.version:
        sys.exit(_say_version())
    # Imported late, so that a signal during the half second that imports take is not lost.
    from usher_bot import main

    sys.exit(main.check() if arguments.check else main.run(signals))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="usher-bot", description="Runs one meeting bot.", epilog=EPILOG)
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    parser.add_argument("--check", action="store_true", help="check the settings and exit")
    return parser


def _say_version() -> int:
    from importlib.metadata import version

    sys.stdout.write(f"usher-bot {version('usher')}\n")
    return 0


if __name__ == "__main__":
    main()
