"""`usher-bot conformance`: its arguments, its run, and its exit code."""

import argparse
import asyncio
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from usher_bot.conformance import report
from usher_bot.conformance.cases import CASES
from usher_bot.conformance.program import usher_bot
from usher_bot.conformance.report import Finding
from usher_bot.conformance.trial import Candidate
from usher_bot.exit_codes import ExitCode

DESCRIPTION = """\
Runs a bot against a control plane on this machine, in eight cases, and says which rules of the callback contract it
keeps. Nothing is needed but the bot: no cluster, no database. It takes about a minute, and longer for a bot that takes
long to join. Run it in the bot's own image, for example:

  docker run --rm --entrypoint usher-bot IMAGE conformance -- node dist/docker.js
"""
EPILOG = "Exit code: 0 when every requirement is kept, 1 when not, 2 for wrong arguments."


def run(words: Sequence[str]) -> int:
    """Certify the bot that the arguments name; the exit code."""
    parser = _parser()
    arguments = parser.parse_args(words)
    candidate = _candidate(parser, arguments)
    findings = asyncio.run(_findings(candidate))
    sys.stdout.write(f"\n{report.as_text(findings)}\n")
    if arguments.report:
        report.write(arguments.report, findings, command=arguments.command or candidate.argv)
    return ExitCode.DONE if all(each.is_kept for each in findings) else ExitCode.FAILED


async def _findings(candidate: Candidate) -> list[Finding]:
    findings = []
    for number, case in enumerate(CASES, start=1):
        sys.stderr.write(f"case {number} of {len(CASES)}: {case.title}\n")
        verdicts, last_lines = await case.verdicts(candidate)
        findings += [Finding(case=case.title, verdict=verdict, last_lines=last_lines) for verdict in verdicts]
    return findings


def _candidate(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Candidate:
    command = [word for word in arguments.command if word != "--"]
    if bool(command) == bool(arguments.driver):
        parser.error("name either a program, behind --, or a driver of usher-bot with --driver.")
    if arguments.options and not arguments.driver:
        parser.error("--options are those of the driver that --driver names.")
    if arguments.own_callbacks and not command:
        parser.error("--own-callbacks is about a program, which stands behind --.")
    if command and shutil.which(command[0]) is None:
        parser.error(f"there is no program {command[0]!r} here.")
    direct = command if arguments.own_callbacks else usher_bot()
    options = arguments.options if arguments.driver else {"command": command}
    return Candidate(
        argv=direct,
        driver=arguments.driver or "exec",
        driver_options=options,
        platform=arguments.platform,
        native_meeting_id=arguments.meeting_id,
        meeting_url=arguments.meeting_url,
        join_within_s=arguments.join_within,
        leave_grace_s=arguments.leave_grace,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="usher-bot conformance",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="*", help="the program under the driver exec, and its arguments, behind --")
    parser.add_argument("--driver", help="certify a driver of usher-bot instead, such as simulated")
    parser.add_argument("--options", type=_object, default={}, help="the options of that driver, a JSON object")
    parser.add_argument(
        "--own-callbacks",
        action="store_true",
        help="the program is PID 1 of its container, and sends its callbacks itself, without usher-bot",
    )
    parser.add_argument("--platform", default=Candidate.platform, help="USHER_PLATFORM (%(default)s)")
    parser.add_argument(
        "--meeting-id", default=Candidate.native_meeting_id, help="USHER_NATIVE_MEETING_ID (%(default)s)"
    )
    parser.add_argument("--meeting-url", default=Candidate.meeting_url, help="USHER_MEETING_URL (%(default)s)")
    parser.add_argument(
        "--join-within", type=_seconds, default=Candidate.join_within_s, help="seconds to join in (%(default)g)"
    )
    parser.add_argument(
        "--leave-grace", type=_seconds, default=Candidate.leave_grace_s, help="USHER_LEAVE_GRACE_S (%(default)g)"
    )
    parser.add_argument("--report", type=_report_file, help="also write a report: FILE.md or FILE.json")
    return parser


def _report_file(text: str) -> Path:
    """Checked before the run, which takes a minute."""
    path = Path(text)
    if path.suffix not in (".md", ".json"):
        raise argparse.ArgumentTypeError(f"{text!r} ends neither with .md nor with .json.")
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {str(path.absolute().parent)!r}.")
    return path


def _object(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON.") from exc
    if not isinstance(parsed, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is not a JSON object.")
    return parsed


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds.") from exc
    if not 5 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text} s is not between 5 and 3600.")
    return seconds
