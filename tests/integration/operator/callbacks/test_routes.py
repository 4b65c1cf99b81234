"""Callbacks over real HTTP, with real tokens, on real Postgres: a whole life, and every row of the contract."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from tests.fakes.clock import FakeClock
from tests.fakes.kube import FakeKube
from tests.fakes.objects import a_botrequest, a_job, a_pod, disrupted, running
from tests.fakes.tokens import AUDIENCE, ISSUER, SERVICE_ACCOUNT, TokenIssuer
from tests.integration.operator.caller import PREFIX, Answer, Caller
from tests.integration.operator.webhooks.outbox import a_subscriber, ledger
from tests.scenario import BotInTheMaking, Scenario, pod_of
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.errors import KubernetesUnavailable
from usher_models.states import Desired, Source, Stage, Status
from usher_models.wire import BODY_MAX_BYTES
from usher_operator.callbacks.cluster_keys import KeyRing
from usher_operator.callbacks.pod_token import TokenVerifier
from usher_operator.callbacks.routes import Callbacks
from usher_operator.kube.botrequest_status import status_of
from usher_operator.lifecycle.termination import Termination

Client = TestClient[web.Request, web.Application]
CallerOf = Callable[[BotInTheMaking], Awaitable[Caller]]

BEAT_S = 15
# A whole life's worth of statuses, in the order of a life.
LIFE = [Status.RESERVED, Status.STARTING, Status.ACTIVE, Status.STOPPING]


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer("ES256")


def an_application(
    database: Database, issuer: TokenIssuer, kube: FakeKube, *, beat_s: float = BEAT_S
) -> web.Application:
    async def fetch() -> dict[str, Any]:
        return issuer.jwks()

    verifier = TokenVerifier(
        KeyRing(fetch, clock=FakeClock()),
        issuers=(ISSUER,),
        audience=AUDIENCE,
        namespaces=("bots",),
        service_account=SERVICE_ACCOUNT,
    )
    return Callbacks(
        database=database, verifier=verifier, heartbeat_interval_s=beat_s, termination=Termination(kube)
    ).application()


@pytest.fixture
async def client(database: Database, issuer: TokenIssuer, kube: FakeKube) -> AsyncIterator[Client]:
    async with TestClient(TestServer(an_application(database, issuer, kube))) as client:
        yield client


@pytest.fixture
async def deserted(no_database: Database, issuer: TokenIssuer, kube: FakeKube) -> AsyncIterator[Client]:
    """A callback server whose database is away."""
    async with TestClient(TestServer(an_application(no_database, issuer, kube))) as client:
        yield client


@pytest.fixture
def caller_of(client: Client, issuer: TokenIssuer) -> CallerOf:
    """The pod of a bot in the making."""

    async def caller_of(bot: BotInTheMaking) -> Caller:
        return Caller(client, issuer, await bot)

    return caller_of


def in_status(given: Scenario, status: Status) -> BotInTheMaking:
    """A bot that came to `status` the usual way."""
    bot = given.a_bot()
    for passed in LIFE[1:]:
        if status in LIFE and LIFE.index(passed) <= LIFE.index(status):
            bot = bot.moved(passed)
    return bot if status in LIFE else bot.active().moved(status)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"exit_code": 3, "reason": "studio_offline", "reason_kind": "platform"}, "platform"),
        ({"exit_code": 3, "reason": "studio_offline"}, "bot"),
        ({"exit_code": 2, "reason": "admission_denied", "reason_kind": "bot"}, "host"),
        ({"exit_code": 137}, "bot"),
        ({"exit_code": 0}, "none"),
    ],
)
async def test_an_end_says_whose_doing_it_was_wherever_it_is_told(
    given: Scenario, caller_of: CallerOf, said: dict[str, Any], fault: str
) -> None:
    user = await a_subscriber(given, "https://hooks.example.org/usher", events=["meeting.status_change"])
    caller = await caller_of(given.a_bot(user).starting().active())
    await caller.say("exited", **said)
    ended, line = await given.fresh(caller.bot), (await given.story(caller.bot))[-1]
    (*_, told) = await ledger(given, user)
    assert ended.fault == line.fault == fault
    assert status_of(ended, installation="one")["fault"] == fault
    assert told.payload["data"]["meeting"]["fault"] == told.payload["data"]["status_change"]["fault"] == fault


async def test_a_live_meeting_is_nobodys_fault(given: Scenario) -> None:
    bot = await given.a_bot().starting().active()
    assert bot.fault is None
    assert [line.fault for line in await given.story(bot)] == [None, None, None]


async def test_a_kind_that_a_bot_cannot_know_is_refused(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().starting())
    answer = await caller.say("exited", exit_code=1, reason="odd", reason_kind="usher")
    assert (answer.code, answer.body["code"]) == (422, "invalid_body")


async def test_a_whole_life(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot())
    said = [
        await caller.say("started"),
        await caller.say("status", stage="lobby"),
        await caller.say("joined"),
        await caller.say("heartbeat", status="active", stage="in_meeting", seq=1, participants=4),
        await caller.say("status", status="stopping"),
        await caller.say("exited", exit_code=0),
    ]
    assert [answer.code for answer in said] == [200] * 6
    assert [answer.body["new_status"] for answer in said] == [
        "starting",
        "starting",
        "active",
        "active",
        "stopping",
        "completed",
    ]
    assert [(line.target, line.source, line.reason) for line in await given.story(caller.bot)] == [
        ("reserved", "api", "requested"),
        ("starting", "bot", "started"),
        ("active", "bot", "joined"),
        ("stopping", "bot", "leaving"),
        ("completed", "bot", "left"),
    ]
    ended = await given.fresh(caller.bot)
    assert (ended.pod_uid, ended.participants) == (pod_of(caller.bot.connection_id), 4)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("started", {}, "callback processed"),
        ("joined", {}, "callback processed"),
        ("exited", {"exit_code": 0}, "callback processed"),
        ("heartbeat", {}, "heartbeat processed"),
        ("status", {"status": "stopping"}, "status update processed"),
    ],
)
async def test_an_answer_has_exactly_what_the_contract_says(
    given: Scenario, caller_of: CallerOf, kind: str, body: dict[str, Any], status: str
) -> None:
    caller = await caller_of(given.a_bot())
    answer = await caller.say(kind, **body)
    assert answer.body.keys() == {"status", "meeting_id", "new_status", "applied", "commands", "next_beat_s"}
    assert (answer.body["status"], answer.body["applied"]) == (status, True)
    assert (answer.body["meeting_id"], answer.body["next_beat_s"]) == (caller.bot.meeting_id, BEAT_S)


async def test_a_bot_whose_row_is_missing_is_told_to_wait(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot())
    for kind, body in (("started", {}), ("heartbeat", {}), ("status", {}), ("exited", {"exit_code": 0})):
        answer = await caller.say(kind, connection_id="nobody", **body)
        assert (answer.code, answer.body["code"], answer.body["terminate"]) == (503, "row_missing", False)
        assert answer.headers["Retry-After"] == "2"


async def test_a_meeting_that_usher_does_not_own_is_unknown(given: Scenario, caller_of: CallerOf) -> None:
    user = await given.a_user()
    legacy = await given.a_legacy_meeting(user, status="requested")
    await given.execute("INSERT INTO meeting_sessions (meeting_id, session_uid) VALUES (:id, 'legacy')", id=legacy)
    caller = await caller_of(given.a_bot())
    assert (await caller.say("started", connection_id="legacy")).code == 503


async def test_an_illegal_move_is_409_and_does_not_end_the_bot(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().active().stopping())
    answer = await caller.say("joined")
    assert (answer.code, answer.body["code"], answer.body["terminate"]) == (409, "illegal_move", False)
    assert "stopping" in answer.body["detail"]


async def test_another_pod_is_409_and_must_exit(given: Scenario, client: Client, issuer: TokenIssuer) -> None:
    bot = await given.a_bot().starting()
    second = Caller(client, issuer, bot, pod_uid="another-pod")
    before = await given.everything()
    for kind, body in (("started", {}), ("joined", {}), ("heartbeat", {}), ("exited", {"exit_code": 0})):
        answer = await second.say(kind, **body)
        assert (answer.code, answer.body["code"]) == (409, "another_pod_speaks"), kind
        assert answer.body["terminate"] is True
    assert await given.everything() == before


async def test_the_first_pod_that_speaks_is_the_one(given: Scenario, client: Client, issuer: TokenIssuer) -> None:
    bot = await given.a_bot()
    callers = [Caller(client, issuer, bot, pod_uid=f"pod-{number}") for number in range(4)]
    answers = await asyncio.gather(*(caller.say("started") for caller in callers))
    assert sorted(answer.code for answer in answers) == [200, 409, 409, 409]


@pytest.mark.parametrize("by", [Source.BOT, Source.RECONCILER])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("started", {}),
        ("joined", {}),
        ("heartbeat", {}),
        ("status", {"status": "stopping"}),
        ("status", {"stage": "lobby"}),
    ],
)
async def test_after_the_end_everything_is_410_and_ends_the_bot(
    given: Scenario, caller_of: CallerOf, by: Source, kind: str, body: dict[str, Any]
) -> None:
    caller = await caller_of(given.a_bot().active().failed(by=by))
    before = await given.everything()
    answer = await caller.say(kind, **body)
    assert (answer.code, answer.body["code"], answer.body["terminate"]) == (410, "meeting_over", True)
    assert await given.everything() == before


async def test_a_farewell_that_comes_too_late_is_410(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().active().failed(by=Source.RECONCILER, reason="heartbeat_lost"))
    answer = await caller.say("exited", exit_code=0)
    assert (answer.code, answer.body["terminate"]) == (410, True)
    assert (await given.fresh(caller.bot)).reason == "heartbeat_lost"


@pytest.mark.parametrize("token", [None, "", "garbage", "a.b.c"])
async def test_without_a_token_of_the_cluster_it_is_401(
    given: Scenario, caller_of: CallerOf, token: str | None
) -> None:
    caller = await caller_of(given.a_bot())
    answer = await caller.send("started", token=token or None, json={"connection_id": caller.bot.connection_id})
    assert (answer.code, answer.body["code"]) == (401, "unauthorized")


async def test_an_authorization_header_of_raw_bytes_is_401(given: Scenario, client: Client) -> None:
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"POST {PREFIX}/started HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ".encode())
    writer.write(b"\xff\xfe\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    await writer.drain()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    # aiohttp itself may refuse the bytes; what counts is that nothing breaks.
    assert answer.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 400 "))


async def test_an_expired_token_is_401(given: Scenario, caller_of: CallerOf, issuer: TokenIssuer) -> None:
    caller = await caller_of(given.a_bot())
    answer = await caller.send(
        "started", token=issuer.token(expires_in=-60), json={"connection_id": caller.bot.connection_id}
    )
    assert (answer.code, answer.body["detail"]) == (401, "The token has expired; read the token file again.")


async def test_the_token_of_another_meetings_pod_is_403(
    given: Scenario, client: Client, issuer: TokenIssuer, caller_of: CallerOf
) -> None:
    mine = await caller_of(given.a_bot().active())
    other = await caller_of(given.a_bot().active())
    before = await given.everything()
    for kind, body in (("joined", {}), ("heartbeat", {"status": "stopping"}), ("exited", {"exit_code": 0})):
        answer = await mine.send(kind, token=other.token, json={"connection_id": mine.bot.connection_id} | body)
        assert (answer.code, answer.body["code"]) == (403, "forbidden"), kind
    assert await given.everything() == before


@pytest.mark.parametrize("kind", ["started", "heartbeat", "status"])
async def test_another_meetings_pod_cannot_be_the_first_to_speak(
    given: Scenario, caller_of: CallerOf, kind: str
) -> None:
    nobodys_yet, other = await caller_of(given.a_bot()), await caller_of(given.a_bot().active())
    before = await given.everything()
    body = {"connection_id": nobodys_yet.bot.connection_id}
    answer = await nobodys_yet.send(kind, token=other.token, json=body)
    assert (answer.code, answer.body["code"]) == (403, "forbidden")
    assert await given.everything() == before


@pytest.mark.parametrize("claims", [{"service_account": "default"}, {"namespace": "default"}, {"pod_name": None}])
async def test_the_token_of_somebody_else_is_403(
    given: Scenario, caller_of: CallerOf, issuer: TokenIssuer, claims: dict[str, Any]
) -> None:
    caller = await caller_of(given.a_bot())
    answer = await caller.send(
        "started", token=issuer.token(**claims), json={"connection_id": caller.bot.connection_id}
    )
    assert answer.code == 403


async def test_an_oversized_body_is_413(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot())
    answer = await caller.say("started", details="x" * BODY_MAX_BYTES)
    assert (answer.code, answer.body["code"]) == (413, "request_entity_too_large")
    assert (await given.fresh(caller.bot)).status is Status.RESERVED


async def test_the_token_is_checked_before_the_body_is_read(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot())
    assert (await caller.send("started", token=None, data=b"x" * 2 * BODY_MAX_BYTES)).code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b'"x"', b"[" * 30_000])
async def test_a_body_that_is_no_json_object_is_400(given: Scenario, caller_of: CallerOf, body: bytes) -> None:
    caller = await caller_of(given.a_bot())
    answer = await caller.send("started", data=body)
    assert (answer.code, answer.body["code"]) == (400, "bad_body")


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("started", {"connection_id": None}, "connection_id"),
        ("started", {"connection_id": ""}, "connection_id"),
        ("started", {"connection_id": "a b"}, "connection_id"),
        ("started", {"connection_id": "c" * 256}, "connection_id"),
        ("started", {"event_id": 3}, "event_id"),
        ("started", {"connection_id": "a\x00"}, "connection_id"),
        ("joined", {"seq": -1}, "seq"),
        ("heartbeat", {"status": "asleep"}, "status"),
        ("heartbeat", {"status": "completed"}, "status"),
        ("heartbeat", {"seq": 2**63}, "seq"),
        ("heartbeat", {"stage": "kitchen"}, "stage"),
        ("heartbeat", {"applied_generation": -1}, "applied_generation"),
        ("heartbeat", {"participants": "many"}, "participants"),
        ("status", {"status": "completed"}, "status"),
        ("exited", {}, "exit_code"),
        ("exited", {"exit_code": 256}, "exit_code"),
        ("exited", {"exit_code": 0, "reason": "It ended!"}, "reason"),
        ("exited", {"exit_code": 0, "detail": "x" * 4097}, "detail"),
    ],
)
async def test_a_wrong_field_is_422_and_named(
    given: Scenario, caller_of: CallerOf, kind: str, body: dict[str, Any], field: str
) -> None:
    caller = await caller_of(given.a_bot().active())
    answer = await caller.say(kind, **body)
    assert (answer.code, answer.body["code"]) == (422, "invalid_body")
    assert [error["loc"] for error in answer.body["errors"]] == [[field]]


async def test_a_refusal_never_repeats_what_was_sent(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot())
    answer = await caller.say("exited", exit_code="swordfish", reason="Swordfish!", detail=["swordfish"])
    assert answer.code == 422
    assert "swordfish" not in json.dumps(answer.body).lower()


async def test_with_the_database_away_it_is_503_and_says_when_to_try_again(
    given: Scenario, deserted: Client, issuer: TokenIssuer
) -> None:
    caller = Caller(deserted, issuer, await given.a_bot())
    for kind, body in (("started", {}), ("heartbeat", {}), ("exited", {"exit_code": 0})):
        answer = await caller.say(kind, **body)
        assert (answer.code, answer.body["code"]) == (503, "database_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.body["terminate"] is False


async def test_with_the_keys_away_it_is_503_and_not_401(given: Scenario, database: Database) -> None:
    async def fetch() -> dict[str, Any]:
        raise KubernetesUnavailable

    issuer = TokenIssuer("ES256")
    verifier = TokenVerifier(
        KeyRing(fetch), issuers=(ISSUER,), audience=AUDIENCE, namespaces=("bots",), service_account=SERVICE_ACCOUNT
    )
    application = Callbacks(
        database=database, verifier=verifier, heartbeat_interval_s=BEAT_S, termination=Termination(FakeKube())
    ).application()
    async with TestClient(TestServer(application)) as client:
        answer = await Caller(client, issuer, await given.a_bot()).say("started")
    assert (answer.code, answer.body["code"]) == (503, "kubernetes_unavailable")


@pytest.mark.parametrize(("path", "method", "code"), [("gone", "POST", 404), ("started", "GET", 405)])
async def test_a_wrong_address_is_told_in_the_same_shape(
    given: Scenario, caller_of: CallerOf, path: str, method: str, code: int
) -> None:
    answer = await (await caller_of(given.a_bot())).send(path, method=method)
    assert answer.code == code
    assert answer.body.keys() == {"code", "detail", "terminate"}


@pytest.mark.parametrize(
    ("origin", "kind", "body"),
    [
        (Status.RESERVED, "started", {}),
        (Status.STARTING, "joined", {}),
        (Status.ACTIVE, "status", {"status": "stopping"}),
        (Status.STOPPING, "exited", {"exit_code": 0}),
        (Status.ACTIVE, "exited", {"exit_code": 3}),
    ],
)
async def test_a_repeat_answers_the_same_and_changes_nothing(
    given: Scenario, caller_of: CallerOf, origin: Status, kind: str, body: dict[str, Any]
) -> None:
    caller = await caller_of(in_status(given, origin))
    first = await caller.say(kind, event_id="event-1", **body)
    story = await given.story(caller.bot)
    for event_id in ("event-1", "event-2", None):
        again = await caller.say(kind, event_id=event_id, **body)
        assert (again.code, again.body["new_status"]) == (200, first.body["new_status"])
        assert again.body["applied"] is False
    assert await given.story(caller.bot) == story


async def test_a_started_that_comes_late_is_noted_and_changes_nothing(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().active())
    for _ in range(2):
        answer = await caller.say("started", event_id="event-1")
        assert (answer.code, answer.body["new_status"], answer.body["applied"]) == (200, "active", False)
    assert [line.reason for line in await given.story(caller.bot)] == ["requested", "joined", "late_started"]


@pytest.mark.parametrize("origin", LIFE)
@pytest.mark.parametrize("said", LIFE[1:])
async def test_a_heartbeat_heals_what_was_lost_and_never_goes_back(
    given: Scenario, caller_of: CallerOf, origin: Status, said: Status
) -> None:
    caller = await caller_of(in_status(given, origin))
    answer = await caller.say("heartbeat", status=said)
    furthest = max(origin, said, key=LIFE.index)
    assert (answer.code, answer.body["new_status"]) == (200, furthest)
    healed = await given.fresh(caller.bot)
    assert healed.status is furthest
    if LIFE.index(said) > LIFE.index(origin):
        (line,) = (await given.story(caller.bot))[len(LIFE[: LIFE.index(origin) + 1]) :]
        assert (line.target, line.source) == (said, "bot")


async def test_a_heartbeat_before_any_other_word_binds_the_pod(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot())
    assert (await caller.say("heartbeat")).code == 200
    assert (await given.fresh(caller.bot)).pod_uid == pod_of(caller.bot.connection_id)


async def test_a_heartbeat_is_a_sign_of_life(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().active().with_last_beat(ago=100))
    await caller.say("heartbeat")
    assert await given.scalar("SELECT extract(epoch FROM now() - at) FROM usher.heartbeats") < 5


async def test_a_status_update_is_a_sign_of_life_too(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().active().with_last_beat(ago=100))
    await caller.say("status", stage="in_meeting")
    assert await given.scalar("SELECT extract(epoch FROM now() - at) FROM usher.heartbeats") < 5


async def test_a_stage_is_noted_and_is_no_change_of_status(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().starting())
    answers = [await caller.say("status", stage="lobby") for _ in range(2)]
    assert [answer.body["applied"] for answer in answers] == [True, False]
    bot = await given.fresh(caller.bot)
    assert (bot.status, bot.stage) == (Status.STARTING, "lobby")
    assert len(await given.story(bot)) == 2


async def test_a_status_without_a_stage_is_a_sign_of_life_and_changes_nothing(
    given: Scenario, caller_of: CallerOf
) -> None:
    caller = await caller_of(given.a_bot().active().in_stage(Stage.IN_MEETING).with_last_beat(ago=100))
    answer = await caller.say("status")
    assert (answer.code, answer.body["applied"]) == (200, False)
    assert (await given.fresh(caller.bot)).stage == Stage.IN_MEETING
    assert await given.scalar("SELECT extract(epoch FROM now() - at) FROM usher.heartbeats") < 5


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_a_status_may_be_patched_or_posted(given: Scenario, caller_of: CallerOf, method: str) -> None:
    caller = await caller_of(given.a_bot().active())
    body = {"connection_id": caller.bot.connection_id, "status": "stopping"}
    answer = await caller.send("status", method=method, json=body)
    assert (answer.code, answer.body["new_status"]) == (200, "stopping")


async def test_leave_is_repeated_in_every_answer_until_the_bot_is_gone(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().asked_to_leave())
    leave = [{"id": f"{caller.bot.meeting_id}:leave", "action": "leave"}]
    answers: list[Answer] = [
        await caller.say("started"),
        await caller.say("heartbeat"),
        await caller.say("joined"),
        await caller.say("status", status="stopping"),
    ]
    assert [answer.body["commands"] for answer in answers] == [leave] * 4
    assert (await caller.say("exited", exit_code=0)).body["commands"] == []


async def test_a_configuration_is_repeated_until_it_is_acknowledged(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().active().with_config(language="de").with_config(language="fr"))
    told = [{"id": f"{caller.bot.meeting_id}:config:2", "action": "reconfigure", "generation": 2, "language": "fr"}]
    assert (await caller.say("heartbeat", applied_generation=0)).body["commands"] == told
    assert (await caller.say("heartbeat", applied_generation=1)).body["commands"] == told
    assert (await caller.say("heartbeat", applied_generation=2)).body["commands"] == []
    assert (await caller.say("heartbeat")).body["commands"] == []
    assert (await given.fresh(caller.bot)).applied_generation == 2


async def test_an_acknowledgement_of_what_never_was_does_not_hide_what_comes(
    given: Scenario, caller_of: CallerOf
) -> None:
    caller = await caller_of(given.a_bot().active().with_config(language="de"))
    await caller.say("heartbeat", applied_generation=99)
    assert (await given.fresh(caller.bot)).applied_generation == 1


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"exit_code": 0}, Status.COMPLETED, "left"),
        ({"exit_code": 0, "reason": "meeting_ended"}, Status.COMPLETED, "meeting_ended"),
        ({"exit_code": 1}, Status.FAILED, "exit_code_1"),
        ({"exit_code": 137}, Status.FAILED, "exit_code_137"),
        ({"exit_code": -1}, Status.FAILED, "job_failed"),
        ({"exit_code": 4, "reason": "admission_denied"}, Status.FAILED, "admission_denied"),
    ],
)
async def test_the_exit_code_decides_and_the_reason_is_the_bots_own(
    given: Scenario, caller_of: CallerOf, body: dict[str, Any], status: Status, reason: str
) -> None:
    caller = await caller_of(given.a_bot().active())
    answer = await caller.say("exited", **body)
    assert (answer.code, answer.body["new_status"]) == (200, status)
    bot = await given.fresh(caller.bot)
    assert (bot.reason, bool(bot.message), bot.ended_at is not None) == (reason, True, True)


async def test_a_bot_that_was_asked_to_leave_did_so_for_that_reason(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().active().asked_to_leave(reason="max_duration_exceeded"))
    await caller.say("exited", exit_code=0)
    assert (await given.fresh(caller.bot)).reason == "max_duration_exceeded"


def in_kubernetes(kube: FakeKube, bot: Bot, *, job: bool = True, request: bool = True, **pod: Any) -> None:
    """The bot's BotRequest, Job and pod as they are while the pod is being terminated."""
    namespace, name = str(bot.request_namespace), str(bot.request_name)
    if request:
        kube.apply(a_botrequest(name, namespace=namespace, uid=bot.request_uid))
    if job:
        kube.jobs[namespace, bot.job_name] = a_job(bot.meeting_id, connection_id=bot.connection_id)
    defaults: dict[str, Any] = {"uid": pod_of(bot.connection_id), "state": running(), "deleting": True}
    kube.pods[namespace, bot.job_name] = a_pod(bot.job_name, **defaults | pod)


TERMINATIONS = [
    pytest.param({"conditions": [disrupted("EvictionByEvictionAPI")]}, "evicted", id="drained"),
    pytest.param({"conditions": [disrupted("PreemptionByScheduler")]}, "preempted", id="preempted"),
    pytest.param({"conditions": [disrupted("DeletionByTaintManager")]}, "node_lost", id="node lost"),
    pytest.param({}, "pod_deleted", id="pod deleted"),
    pytest.param({"job": False}, "job_deleted", id="Job deleted"),
    pytest.param({"job": False, "request": False}, "request_deleted", id="BotRequest deleted unseen"),
    pytest.param({"deleting": False}, "terminated", id="nobody knows"),
]


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("said", [{"exit_code": 143, "reason": "terminated"}, {"exit_code": 0, "reason": "stopped"}])
@pytest.mark.parametrize(("world", "reason"), TERMINATIONS)
async def test_a_bot_that_was_terminated_fails_for_what_kubernetes_knows(
    given: Scenario,
    caller_of: CallerOf,
    kube: FakeKube,
    joined: bool,
    said: dict[str, Any],
    world: dict[str, Any],
    reason: str,
) -> None:
    caller = await caller_of(given.a_bot().with_job().active() if joined else given.a_bot().with_job().starting())
    in_kubernetes(kube, caller.bot, **world)
    # To delete the BotRequest is to ask the bot to leave: it completes a meeting that it was in.
    expected = "completed" if reason == "request_deleted" and joined else "failed"
    assert (await caller.say("exited", **said)).body["new_status"] == expected
    assert (await given.fresh(caller.bot)).reason == reason


async def test_a_deleted_request_is_the_reason_though_the_pod_was_deleted(
    given: Scenario, caller_of: CallerOf, kube: FakeKube
) -> None:
    caller = await caller_of(given.a_bot().with_job().active().asked_to_leave(reason="request_deleted"))
    in_kubernetes(kube, caller.bot)
    assert (await caller.say("exited", exit_code=143, reason="terminated")).body["new_status"] == "completed"
    assert (await given.fresh(caller.bot)).reason == "request_deleted"
    assert kube.reads == 0


async def test_a_bot_that_was_terminated_ends_though_the_api_server_is_away(
    given: Scenario, caller_of: CallerOf, kube: FakeKube
) -> None:
    caller = await caller_of(given.a_bot().with_job().active())
    kube.away = True
    assert (await caller.say("exited", exit_code=143, reason="terminated")).code == 200
    assert (await given.fresh(caller.bot)).reason == "terminated"


@pytest.mark.parametrize("leave", [True, False])
async def test_a_bot_that_was_not_in_its_meeting_is_never_completed(
    given: Scenario, caller_of: CallerOf, leave: bool
) -> None:
    bot = given.a_bot().starting()
    caller = await caller_of(bot.asked_to_leave() if leave else bot)
    assert (await caller.say("exited", exit_code=0)).body["new_status"] == "failed"
    assert (await given.fresh(caller.bot)).reason == ("stopped" if leave else "left")


async def test_a_row_that_cannot_be_read_asks_its_bot_to_try_again(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().active())
    other = await caller_of(given.a_bot().active())
    await given.execute("UPDATE meetings SET status = 'needs_help' WHERE id = :id", id=caller.bot.meeting_id)
    codes = [(await caller.say(kind, **body)).code for kind, body in (("heartbeat", {}), ("exited", {"exit_code": 0}))]
    assert codes == [503, 503]
    assert (await other.say("heartbeat")).code == 200


async def test_the_last_words_are_kept_in_the_story(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().active())
    await caller.say("exited", exit_code=2, detail="The browser\x00 crashed.")
    assert (await given.story(caller.bot))[-1].detail == {"exit_code": 2, "detail": "The browser\ufffd crashed."}


async def test_an_event_id_that_cannot_be_stored_does_not_lose_the_event(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot())
    assert [(await caller.say("started", event_id="a\x00b")).body["applied"] for _ in range(2)] == [True, False]


async def test_an_exit_frees_the_slot(given: Scenario, caller_of: CallerOf) -> None:
    user = await given.a_user(cap=1)
    caller = await caller_of(given.a_bot(user).active())
    await caller.say("exited", exit_code=1)
    assert await given.slots_held(user) == 0


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        # The bodies of the bots that run today, with fields that Usher does not know.
        ("started", {"status": "joined_meeting", "details": "Bot is starting"}, "starting"),
        ("started", {"container_id": "vexa-bot-42-abc"}, "starting"),
        ("joined", {"container_id": "vexa-bot-42-abc"}, "active"),
        ("heartbeat", {}, "reserved"),
        ("exited", {"exit_code": 0, "reason": "self_initiated_leave"}, "completed"),
        (
            "exited",
            {
                "exit_code": 1,
                "reason": "join_failed",
                "error_details": {"message": "no button", "stack": ["a", "b"]},
                "platform_specific_error": None,
                "completion_reason": "join_failure",
                "failure_stage": "joining",
                "speaker_events": [],
            },
            "failed",
        ),
    ],
)
async def test_the_bodies_of_bots_of_an_older_kind_are_understood(
    given: Scenario, caller_of: CallerOf, kind: str, body: dict[str, Any], status: str
) -> None:
    bot = given.a_bot().active() if kind == "exited" else given.a_bot()
    answer = await (await caller_of(bot)).say(kind, **body)
    assert (answer.code, answer.body["new_status"]) == (200, status)


async def test_an_older_bots_patch_of_its_status_is_understood(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot().active())
    body = {"connection_id": caller.bot.connection_id, "status": "stopping"}
    assert (await caller.send("status", method="PATCH", json=body)).body["status"] == "status update processed"


async def test_callbacks_of_one_bot_at_once_end_in_one_story(given: Scenario, caller_of: CallerOf) -> None:
    caller = await caller_of(given.a_bot())
    beats = [caller.say("heartbeat", status="active") for _ in range(3)]
    answers = await asyncio.gather(caller.say("started"), caller.say("joined"), *beats)
    assert {answer.code for answer in answers} <= {200}
    story = [line.target for line in await given.story(caller.bot)]
    assert story in (["reserved", "starting", "active"], ["reserved", "active"])
    assert (await given.fresh(caller.bot)).status is Status.ACTIVE


async def test_a_bot_that_was_asked_to_leave_while_it_booted_learns_it_at_once(
    given: Scenario, caller_of: CallerOf
) -> None:
    caller = await caller_of(given.a_bot().with_job().asked_to_leave())
    assert caller.bot.desired is Desired.LEAVE
    answer = await caller.say("started")
    assert [command["action"] for command in answer.body["commands"]] == ["leave"]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["event_id", "seq", "status", "stage", "exit_code", "reason", "detail", "applied_generation"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@for_all(
    kind=st.sampled_from(["started", "joined", "heartbeat", "status", "exited"]),
    body=st.dictionaries(FIELDS, ANY_JSON, max_size=3),
)
async def test_no_body_breaks_the_server(given: Scenario, caller_of: CallerOf, kind: str, body: dict[str, Any]) -> None:
    caller = await caller_of(given.a_bot())
    assert (await caller.say(kind, **body)).code in (200, 422)


async def test_what_a_bot_waits_for_is_stored_and_costs_one_write_of_its_status(
    given: Scenario, caller_of: CallerOf
) -> None:
    caller = await caller_of(given.a_bot().starting())
    before = caller.bot.revision
    for waited in (60, 90, 120):
        await caller.say("heartbeat", status="starting", detail=f"Its last callback was 'joining', {waited} s ago.")
    bot = await given.fresh(caller.bot)
    assert (bot.reason, bot.message) == ("started", "Its last callback was 'joining', 120 s ago.")
    assert bot.revision == before + 1, (
        "The text changes with every heartbeat, and each write of a status has its price."
    )
    await caller.say("heartbeat", status="starting")
    assert (await given.fresh(caller.bot)).message == bot.message
    await caller.say("joined")
    joined = await given.fresh(caller.bot)
    assert (joined.message, joined.revision) == ("The bot is in the meeting.", bot.revision + 1)
    await caller.say("heartbeat", status="active", detail="The page is slow.")
    assert (await given.fresh(caller.bot)).revision == joined.revision + 1
