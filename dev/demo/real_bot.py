"""The last story of the demo: a bot in a real browser, in a real conference, with a person who admits it and speaks."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from asyncio import to_thread
from pathlib import Path
from typing import Any

from dev.conference import certificate
from dev.conference.host import Host, a_host
from dev.conference.settings import Settings, for_cluster
from dev.conference.voices import likeness, loudness
from dev.demo.kubectl import ROOT, Kubectl, cluster
from dev.demo.screen import command, heading, say, show, streaming
from dev.machine.errors import DevError

NAME = "browser"
SAMPLE = f"manifests/samples/{NAME}.yaml"
ROOM = "planning"
GUEST = "Usher"
KEPT = ROOT / "build" / "demo"
PATIENCE_S = 90.0
# The host says a sentence of 8 s again and again.
LISTEN_S = 9.0
RECOGNISED = 0.7


def run(kubectl: Kubectl) -> None:
    """Show it. Raises DevError when it does not end as it should."""
    heading("A real bot: Chromium in a real conference, with Jitsi's own pages")
    if cluster("which").strip() != "local":
        say("The conference runs beside the local cluster only: `CLUSTER=local make demo` shows this story.")
        return
    conference = _up()
    asyncio.run(_visit(kubectl, conference))


def _up() -> Settings:
    command("python3 -m dev.conference --cluster up")
    done = subprocess.run([sys.executable, "-m", "dev.conference", "--cluster", "up"], cwd=ROOT, check=False)
    if done.returncode != 0:
        raise DevError("The conference did not come up, see above.")
    return for_cluster()


async def _visit(kubectl: Kubectl, conference: Settings) -> None:
    pin = certificate.pin(conference.certificate)
    say(f"A second browser opens {conference.jitsi_url}/{ROOM} as the host, and speaks.")
    async with a_host(kind="jitsi", url=conference.jitsi_url, room=ROOM, pin=pin, voice=conference.voice) as host:
        await host.come("Ada")
        command(f"kubectl apply -f {SAMPLE}")
        await to_thread(kubectl, "apply", "--filename", SAMPLE)
        with streaming(kubectl.begin(*kubectl.usher_arguments("follow", NAME)), label="follow    "):
            await _let_in(kubectl, host)
            await _listen_and_leave(kubectl, host)
        await _show(kubectl, host, conference)


async def _let_in(kubectl: Kubectl, host: Host) -> None:
    await _until_in_the_lobby(kubectl)
    await host.is_asked(GUEST)
    await _picture(host, "lobby")
    say("The bot waits in the lobby; the host clicks Admit.")
    await host.admit(GUEST)
    await to_thread(kubectl, "wait", "--for=condition=Joined", f"br/{NAME}", "--timeout=60s")


async def _listen_and_leave(kubectl: Kubectl, host: Host) -> None:
    say(f"It is inside, and hears the host for {LISTEN_S:g} s.")
    await asyncio.sleep(LISTEN_S)
    await _picture(host, "meeting")
    patch = '{"spec": {"desiredState": "Left"}}'
    command(f"kubectl patch br {NAME} --type merge --patch '{patch}'")
    await to_thread(kubectl, "patch", "br", NAME, "--type", "merge", "--patch", patch)
    await to_thread(kubectl, "wait", "--for=condition=Finished", f"br/{NAME}", "--timeout=60s")
    await host.sees_no(GUEST)


async def _show(kubectl: Kubectl, host: Host, conference: Settings) -> None:
    status = await to_thread(_status, kubectl)
    if status.get("phase") != "completed":
        raise DevError(f"The real bot ended as {status.get('phase')}: {status.get('message')}")
    command(f"kubectl get br {NAME}; usher why {NAME}")
    show(await to_thread(kubectl, "get", "br", NAME))
    show(await to_thread(kubectl.usher, "why", str(status["meetingId"])))
    recording = shutil.copy(conference.recordings / f"{status['connectionId']}.webm", KEPT / "meeting.webm")
    alike = likeness(
        await loudness(host.page, conference.voice.read_bytes()),
        await loudness(host.page, Path(recording).read_bytes()),
    )
    say(f"What the host saw: {_shown('lobby.png')}, {_shown('meeting.png')}.")
    say(f"What the bot heard: {_shown('meeting.webm')}; its likeness with the host's voice is {alike:.2f} of 1.")
    if alike < RECOGNISED:
        raise DevError("The bot did not hear the host.")


def _shown(name: str) -> str:
    return str((KEPT / name).relative_to(ROOT))


async def _picture(host: Host, name: str) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    await host.page.screenshot(path=str(KEPT / f"{name}.png"))


def _status(kubectl: Kubectl) -> dict[str, Any]:
    return dict(kubectl.json("get", "br", NAME).get("status") or {})


async def _until_in_the_lobby(kubectl: Kubectl) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while await to_thread(_stage, kubectl) != "lobby":
        if time.monotonic() > deadline:
            raise DevError(f"The bot was not in the lobby within {PATIENCE_S:g} s.")
        await asyncio.sleep(0.5)


def _stage(kubectl: Kubectl) -> str | None:
    """The row's stage: a BotRequest shows it with the next change of status."""
    live = json.loads(kubectl.usher("bots", "--json"))
    return next((bot["stage"] for bot in live if bot["request_name"] == NAME), None)
