"""A bot of Vexa that a client asked for over the REST API, from the request to the end of its meeting.

The API, the callbacks, the database, the Job and the bot's processes are real. The test stands in for the kubelet: it
gives the container the environment of the Job, the Secret that this names, and the pod's token.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import INSTALLATION, some_settings
from tests.fakes.tokens import TokenIssuer
from tests.integration.operator.api.client import Client, key_of
from tests.integration.operator.callbacks.test_routes import an_application
from tests.scenario import Scenario, User, pod_of
from usher_models.db import bots
from usher_models.db.bots import Bot
from usher_operator.kube.job import build_job
from usher_operator.processes.operate import job_settings
from usher_operator.processes.serve import public_api
from usher_operator.settings import Settings
from usher_operator.settings.bot_class import BotClass

STAND_IN = Path(__file__).parents[3] / "bot" / "exec" / "stand_in.py"
ADMIN_TOKEN = "an-admin-token-of-32-characters-x"
SECRETS = {"vexa": {"url": "http://transcription:8080", "token": "a-key-of-the-fleet"}}
CLASS = BotClass.model_validate(
    {
        "env": [
            {
                "name": f"TRANSCRIPTION_SERVICE_{key.upper()}",
                "valueFrom": {"secretKeyRef": {"name": "vexa", "key": key}},
            }
            for key in ("url", "token")
        ],
        "exec": {"config": {"recordingEnabled": True}},
    }
)


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer("ES256")


@pytest.fixture
async def callback_url(given: Scenario, issuer: TokenIssuer, kube: FakeKube) -> AsyncIterator[str]:
    async with TestServer(an_application(given.database, issuer, kube, beat_s=0.1)) as server:
        yield str(server.make_url("")).rstrip("/")


def environment(job: dict[str, Any], bot: Bot, *, folder: Path) -> dict[str, str]:
    """What the kubelet gives the container, and the pod's token where this test can read it."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    fields = {"metadata.name": f"{bot.job_name}-abcde", "metadata.uid": pod_of(bot.connection_id)}
    found: dict[str, str] = {}
    for variable in container["env"]:
        source = variable.get("valueFrom", {})
        if "secretKeyRef" in source:
            found[variable["name"]] = SECRETS[source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]
        elif "fieldRef" in source:
            found[variable["name"]] = fields[source["fieldRef"]["fieldPath"]]
        else:
            found[variable["name"]] = variable["value"].replace("$$", "$")
    own = {
        "USHER_TOKEN_FILE": str(folder / "token"),
        "USHER_TERMINATION_LOG": str(folder / "log"),
        "USHER_LEAVE_GRACE_S": "5",
    }
    return {"PATH": os.environ["PATH"]} | found | own


async def in_its_meeting(given: Scenario, meeting_id: int) -> Bot:
    while True:
        async with given.database.reading() as connection:
            bot = await bots.bot_by_id(connection, meeting_id)
        if bot is not None and bot.status == "active":
            return bot
        await asyncio.sleep(0.02)


@pytest.fixture(params=["v0.6", "v0.9", "v0.10.7", "newest"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, callback_url: str) -> Settings:
    """An installation whose own program is the stand-in of a version."""
    return some_settings(
        callback_url=callback_url,
        default_driver="exec",
        default_command=(sys.executable, "-S", str(STAND_IN), request.param, "stay", str(tmp_path / "record")),
        bot_class=CLASS,
        meeting_token_secret=SecretStr(ADMIN_TOKEN),
        heartbeat_interval_s=0.1,
    )


@pytest.fixture
async def client(
    settings: Settings, given: Scenario, user: User, kube: FakeKube, publisher: RecordingPublisher
) -> AsyncIterator[Client]:
    """A client of that installation."""
    app = public_api(settings, database=given.database, publisher=publisher, kube=kube)
    async with TestClient(TestServer(app)) as http:
        yield Client(http, {"X-API-Key": await key_of(given, user)})


async def test_a_bot_of_vexa_does_its_job_for_a_client_of_the_rest_api(
    client: Client, settings: Settings, given: Scenario, user: User, issuer: TokenIssuer, tmp_path: Path
) -> None:
    asked = await client.ask(
        passcode="pa$$word", automatic_leave={"no_one_joined_timeout": 90_000, "max_time_left_alone": 30_000}
    )
    async with given.database.reading() as connection:
        bot = await bots.bot_by_id(connection, asked.body["id"])
    assert bot is not None
    token = issuer.token(
        pod_name=f"{bot.job_name}-abcde", pod_uid=pod_of(bot.connection_id), namespace=bot.request_namespace or ""
    )
    (tmp_path / "token").write_text(token)
    env = environment(build_job(bot, job_settings(settings, installation=INSTALLATION)), bot, folder=tmp_path)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "usher_bot", env=env)
    try:
        await asyncio.wait_for(in_its_meeting(given, bot.meeting_id), 15)
        await client.send("DELETE", f"/bots/{bot.platform}/{bot.native_id}")
        assert await asyncio.wait_for(process.wait(), 15) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    ended = await given.fresh(bot)
    assert (ended.status, ended.reason) == ("completed", "stopped")
    assert_it_had_what_it_needs(json.loads((tmp_path / "record").read_text())["config"], user=user, bot=bot)


def assert_it_had_what_it_needs(config: dict[str, Any], *, user: User, bot: Bot) -> None:
    assert (config["transcriptionServiceUrl"], config["transcriptionServiceToken"]) == tuple(SECRETS["vexa"].values())
    claims = jwt.decode(config["token"], ADMIN_TOKEN, algorithms=["HS256"], audience="transcription-collector")
    assert (claims["meeting_id"], claims["user_id"]) == (bot.meeting_id, user.id)
    assert config["recordingEnabled"] is True
    assert config["passcode"] == "pa$$word"
    assert (config["automaticLeave"]["noOneJoinedTimeout"], config["automaticLeave"]["everyoneLeftTimeout"]) == (
        90_000,
        30_000,
    )
