"""A bot of the driver browser in a real conference: Jitsi's own pages, a real media server, a host who lets it in."""

import asyncio
import json
import os
import subprocess
import sys
from asyncio import to_thread
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from dev.cluster.node import SECCOMP_PROFILE
from dev.conference import certificate
from dev.conference.chart_values import HOST
from dev.conference.host import Host, a_host
from dev.conference.settings import REPOSITORY, Settings, for_cluster
from dev.conference.voices import likeness, loudness
from dev.demo.kubectl import BOTS
from dev.demo.kubectl import cluster as development
from tests.e2e.kit import Bot, Cluster, Record, User, eventually
from tests.e2e.security import inside
from tests.e2e.security.test_bot_pod import CREDENTIALS

NAME = "Usher"
# The voice speaks for 8 s and begins anew; a busy machine drops some of it.
LISTEN_S = 10
RECOGNISED = 0.7

REACHABLE = """
import socket
for name, (host, port) in given.items():
    try:
        socket.create_connection((host, port), timeout=3).close()
        found[name] = True
    except OSError:
        found[name] = False
"""
# A page that plays a tone without any remote track, and what a sound server in the pod makes of it.
TRY = """
import asyncio, pathlib
from usher_bot.drivers.browser.chromium.browser import Chromium, Launch
from usher_bot.drivers.browser.page import Reading
from usher_bot.drivers.browser.sound.played import Played
PLAY = "(() => { const context = new AudioContext(); const tone = new OscillatorNode(context);" \\
    " tone.connect(context.destination); tone.start(); })()"
async def main():
    sound = Played(slice_s=1)
    await sound.open()
    browser = Chromium(Launch(program=pathlib.Path("/usr/bin/chromium"), sound=sound.environment))
    page = await browser.start()
    print("sandboxed", browser.sandboxed)
    await page.evaluate(PLAY, within_s=5)
    for _ in range(100):
        await asyncio.sleep(0.1)
        if sound.loudness(Reading()) > 0.5:
            break
    print("heard", sound.loudness(Reading()) > 0.5)
    await browser.stop()
    await sound.close()
asyncio.run(main())
"""
PROFILES = {
    "sandboxed False": {"type": "RuntimeDefault"},
    "sandboxed True": {"type": "Localhost", "localhostProfile": SECCOMP_PROFILE},
}


@pytest.fixture(scope="module")
def conference() -> Settings:
    """The conference that pods reach, up."""
    if development("which").strip() != "local":
        pytest.skip("The conference is a process of this machine, which only the local cluster's pods reach.")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    argv = [sys.executable, "-m", "dev.conference", "--cluster", "up"]
    subprocess.run(argv, cwd=REPOSITORY, check=True, env=environment)
    return for_cluster()


@pytest.fixture
def room(cluster: Cluster) -> str:
    """A room of the test's own."""
    return cluster.a_name("room")


@pytest.fixture
async def host(conference: Settings, room: str) -> AsyncIterator[Host]:
    """The moderator, in the room and speaking."""
    pin = certificate.pin(conference.certificate)
    async with a_host(kind="jitsi", url=conference.jitsi_url, room=room, pin=pin, voice=conference.voice) as moderator:
        await moderator.come()
        yield moderator


@pytest.fixture
def bot(cluster: Cluster, user: User, room: str, host: Host) -> Iterator[Bot]:
    """A bot on its way to the room."""
    wish = cluster.a_bot(user, called="browser").asking(
        driver="browser", nativeMeetingId=f"{room}@{HOST}", botName=NAME
    )
    asked = wish.apply()
    yield asked
    asked.delete()


# Beside six other files the machine drops so much sound that no voice is recognised.
@pytest.mark.alone
async def test_a_bot_waits_in_the_lobby_is_admitted_hears_and_leaves(
    bot: Bot, host: Host, conference: Settings, record_property: Record
) -> None:
    lobby = await to_thread(bot.wait_for_row, stage="lobby", status="starting")
    assert lobby["joined_at"] is None
    await host.admit(NAME)
    await to_thread(bot.wait_for, "Joined")
    assert bot.status["driver"] == "browser"
    await asyncio.sleep(LISTEN_S)
    await to_thread(_is_confined, bot, conference)
    await to_thread(bot.ask_to_leave)
    ended = await to_thread(bot.ended)
    assert (ended.phase, ended.reason) == ("completed", "Stopped")
    await host.sees_no(NAME)
    assert [step.target for step in bot.story()] == ["reserved", "starting", "active", "stopping", "completed"]
    recorded = (conference.recordings / f"{bot.uid}.webm").read_bytes()
    heard = await loudness(host.page, recorded)
    alike = likeness(await loudness(host.page, conference.voice.read_bytes()), heard)
    record_property("likeness of the recording with the host's voice", alike)
    assert alike >= RECOGNISED


async def test_a_bot_that_is_turned_away_says_so(bot: Bot, host: Host) -> None:
    await to_thread(bot.wait_for_row, stage="lobby")
    await host.deny(NAME)
    ended = await to_thread(bot.ended)
    assert (ended.phase, ended.reason) == ("failed", "AdmissionDenied")
    assert "active" not in [step.target for step in bot.story()]


# Beside six other files a browser and a sound server may take longer to start than a test waits.
@pytest.mark.alone
@pytest.mark.parametrize("outcome", PROFILES)
def test_the_profile_decides_about_the_sandbox_and_what_is_played_is_heard_either_way(
    conference: Settings, cluster: Cluster, outcome: str
) -> None:
    name = cluster.a_name("try")
    pod = _a_pod(name, profile=PROFILES[outcome])
    cluster.kubectl("--namespace", BOTS, "create", "--filename", "-", stdin=json.dumps(pod))
    try:
        assert eventually("the pod to end", lambda: _phase(cluster, name) in ("Succeeded", "Failed"))
        said = cluster.kubectl("--namespace", BOTS, "logs", name)
        assert outcome in said
        assert "heard True" in said
    finally:
        cluster.kubectl("--namespace", BOTS, "delete", "pod", name, "--wait=false")


def _is_confined(bot: Bot, conference: Settings) -> None:
    """With Chromium's sandbox, one credential, and no way but to its meeting and its callbacks."""
    (pod,) = bot.pods()
    assert pod["spec"]["securityContext"]["seccompProfile"]["type"] == "Localhost"
    (started,) = [line for line in bot.words() if line.get("action") == "browser_started"]
    assert started["sandboxed"] is True
    held = inside.run(bot, CREDENTIALS)
    assert [mount for mount in held["mounts"] if not mount.startswith("..")] == ["usher", "token"]
    places = {
        "meeting": [conference.host, conference.jitsi_port],
        "stand-ins": [conference.host, conference.stand_ins_port],
        "API server": [conference.host, 6443],
        "database": ["usher-postgresql.usher-system.svc.cluster.local", 5432],
    }
    found = inside.run(bot, REACHABLE, places)
    assert found == {"meeting": True, "stand-ins": False, "API server": False, "database": False}


def _phase(cluster: Cluster, name: str) -> str:
    return str(cluster.kubectl.json("--namespace", BOTS, "get", "pod", name)["status"].get("phase"))


def _a_pod(name: str, *, profile: dict[str, str]) -> dict[str, Any]:
    """A pod like a bot's, under a seccomp profile."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": profile},
            "containers": [
                {
                    "name": "bot",
                    "image": "usher.dev/bot-browser:dev",
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", "-c", TRY],
                    "env": [{"name": "HOME", "value": "/tmp"}],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }
