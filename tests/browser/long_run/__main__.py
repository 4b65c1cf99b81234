"""`python -m tests.browser.long_run`: some bots in one room for long, with a host who speaks, mutes, chats, reloads and
brings a crowd. Nothing of that ends a bot, so every end and every heartbeat that was held back is a false alarm.

With --write the table goes into docs/evidence/browser.md. 0 if every bound was kept, 1 if not.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
import uuid
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version
from pathlib import Path

from dev.conference import __main__ as conference
from dev.conference import certificate
from dev.conference.host import a_host
from dev.conference.settings import Settings, load
from dev.machine.commands import run
from dev.machine.progress import Progress
from tests.browser.long_run.bots import Bot
from tests.browser.long_run.figures import BOUNDS, figures
from tests.browser.long_run.host_acts import Acts
from tests.browser.program import Program, a_program
from tests.load import evidence
from tests.load.bench.figures import Figure, misses, table

BEAT_S = 5.0
WARM_S = 15.0
SAMPLE_EVERY_S = 10.0
LEAVE_S = 30.0
SLACK_S = 600.0


def main(arguments: list[str] | None = None) -> int:
    """Run for that long, print the table, and say whether it is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.long_run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--bots", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write docs/evidence/browser.md")
    options = parser.parse_args(arguments)
    if failed := conference.main(["up"]):
        return failed
    lines, missed = asyncio.run(_bounded(options.bots, options.minutes))
    print("\n".join(lines))
    if options.write:
        evidence.write("browser.md", lines, part="long run")
    for name in missed:
        print(f"browser-long: missed: {BOUNDS[name].what}", file=sys.stderr)
    return 1 if missed else 0


async def _bounded(count: int, minutes: float) -> tuple[list[str], list[str]]:
    async with asyncio.timeout(minutes * 60 + SLACK_S):
        found = await _run(load(), count, minutes=minutes)
    what = f"`make browser-long MINUTES={minutes:g} BOTS={count}`: {count} recording bots and the host in one room."
    machine = evidence.machine(run(["/usr/bin/chromium", "--version"]).strip(), f"Playwright {version('playwright')}")
    return [machine, "", what, "", *table(found, BOUNDS)], misses(found, BOUNDS, ran=["browser_long"])


async def _run(settings: Settings, count: int, *, minutes: float) -> list[Figure]:
    room, pin, progress = f"long-{uuid.uuid4().hex[:8]}", certificate.pin(settings.certificate), Progress()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="usher-long-")))
        url = settings.meeting_url
        host = await stack.enter_async_context(
            a_host(kind="conference", url=url, room=room, pin=pin, voice=settings.voice)
        )
        await host.come()
        await host.set_door(lobby=False)
        bots = [await _come(stack, f"{url}/m/{room}", pin=pin, folder=folder / f"{number}") for number in range(count)]
        progress.say(f"{count} bots are in the meeting, for {minutes:g} minutes")
        acts = Acts(host, bots)
        await asyncio.sleep(WARM_S)
        until = time.monotonic() + minutes * 60
        loads: list[float] = []
        await asyncio.gather(acts.go_on(until=until), _sample(bots, loads=loads, until=until, progress=progress))
        found = figures(bots, acts, loads=loads)
        await asyncio.gather(*(_leave(bot.program) for bot in bots))
    return found


async def _sample(bots: list[Bot], *, loads: list[float], until: float, progress: Progress) -> None:
    while time.monotonic() < until:
        loads.append(os.getloadavg()[0])
        for bot in bots:
            await asyncio.to_thread(bot.sample)
        ended = sum(bot.has_ended for bot in bots)
        if ended or len(bots[0].samples) % 30 == 0:
            progress.say(f"{max(0, until - time.monotonic()) / 60:.0f} minutes to go, {ended} bots ended")
        await asyncio.sleep(SAMPLE_EVERY_S)


async def _come(stack: AsyncExitStack, url: str, *, pin: str, folder: Path) -> Bot:
    await asyncio.to_thread(folder.mkdir)
    recording = folder / "meeting.webm"
    sinks = [{"kind": "file", "path": str(recording)}]
    program = await stack.enter_async_context(
        a_program(
            url=url,
            site="conference",
            pin=pin,
            folder=folder,
            name=f"Listener {folder.name}",
            beat_s=BEAT_S,
            sinks=sinks,
        )
    )
    await program.until(lambda: bool(program.control_plane.of("joined")))
    return Bot(program, recording)


async def _leave(program: Program) -> None:
    """Let the bot go as Kubernetes would; what does not end is killed behind us."""
    if not program.is_over:
        program.process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await program.process.wait()


if __name__ == "__main__":
    sys.exit(main())
