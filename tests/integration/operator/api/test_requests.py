"""What every route does with a request: its id, its unknown parameters, and errors in plain words."""

import logging
import re
from typing import Any

import pytest

from tests.integration.operator.api.client import Client
from tests.scenario import Scenario, User
from usher_operator.telemetry import add_request_id

PYDANTIC = re.compile(r"Input should|Value error|Field required|Extra inputs|valid dictionary|pattern '")


async def test_an_answer_carries_the_clients_request_id(me: Client) -> None:
    for header in ("X-Request-ID", "X-Trace-Id"):
        answer = await me.send("GET", "/user", headers={header: "order-17.a"})
        assert answer.headers["X-Request-ID"] == "order-17.a"


@pytest.mark.parametrize("given_id", [None, "", "a b", "x" * 129, "käse"])
async def test_a_request_without_a_usable_id_gets_one(me: Client, given_id: str | None) -> None:
    headers = {} if given_id is None else {"X-Request-ID": given_id}
    ids = {(await me.send("GET", "/nowhere", headers=headers)).headers["X-Request-ID"] for _ in range(2)}
    assert len(ids) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


async def test_every_log_line_of_a_request_carries_its_id(me: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(add_request_id)
    with caplog.at_level(logging.INFO, logger="usher_operator"):
        await me.send(
            "POST", "/bots", json={"meeting_url": "https://zoom.us/j/85123456789"}, headers={"X-Request-ID": "r-1"}
        )
    lines = {record.__dict__["action"]: record.__dict__.get("request_id") for record in caplog.records}
    assert lines["slot_reserved"] == lines["request_answered"] == "r-1"
    assert "Answered POST /bots with 201." in caplog.text


async def test_a_parameter_that_is_ignored_is_named_in_a_warning(me: Client) -> None:
    asked = await me.ask(recording_enabled=True, metadata={"a": 1})
    assert asked.code == 201
    assert asked.headers["Warning"] == (
        '299 usher "recording_enabled is not supported and was ignored.", '
        '299 usher "metadata is not supported and was ignored."'
    )
    assert "limt is not supported" in (await me.get("/meetings", limt=5)).headers["Warning"]
    assert "Warning" not in (await me.get("/meetings", limit=5)).headers


async def test_a_hostile_parameter_cannot_split_or_swell_the_answers_head(me: Client) -> None:
    hostile: dict[str, Any] = {f'x{number}\r\nEvil: "\\é{"y" * 500}': 1 for number in range(100)}
    body = hostile | {"meeting_url": "https://zoom.us/j/85123456789"}
    answer = await me.send("POST", "/bots", json=body)
    assert answer.code == 201
    assert "Evil" not in answer.headers
    assert len(answer.headers["Warning"]) < 3000


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"dry_run": True}, "body.dry_run must be false."),
        ({"authenticated": True}, "body.authenticated must be false."),
        ({"mode": "browser_session"}, "body.mode must be one of: meeting."),
        ({"platform": "webex"}, "body.platform must be one of: google_meet, teams, zoom, jitsi."),
        ({"language": "English"}, "body.language must be a language code such as en or pt-BR, or auto."),
        ({"bot_name": "x" * 101}, "body.bot_name must have at most 100 characters."),
        ({"automatic_leave": {"max_life": 1}}, "body.automatic_leave.max_life is not a known field."),
        ({"automatic_leave": {"max_bot_time": 5}}, "body.automatic_leave.max_bot_time must be at least 60000."),
        ({"join_at": "2100-01-01T00:00:00Z"}, "Usher sends bots at once"),
        ({"scheduled_at": "2100-01-01T00:00:00"}, "Usher sends bots at once"),
    ],
)
async def test_a_refusal_is_a_sentence_in_plain_words(me: Client, body: dict[str, Any], words: str) -> None:
    answer = await me.ask(**body)
    assert answer.code == 422
    assert words in answer.body["detail"]
    assert not PYDANTIC.search(str(answer.body))


async def test_a_time_that_has_come_starts_the_bot(me: Client) -> None:
    assert (await me.ask(join_at="2020-01-01T00:00:00Z")).code == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/bots", []),
        ("POST", "/admin/users", {}),
        ("POST", "/admin/users", {"email": 7, "max_concurrent_bots": "x", "data": []}),
        ("PATCH", "/admin/users/1", {"max_concurrent_bots": 1.5}),
        ("PUT", "/user/webhook", {"webhook_url": "ftp://x"}),
        ("GET", "/meetings?limit=x&status=gone&exclude_planned=maybe", None),
        ("GET", "/meetings/x", None),
    ],
)
async def test_no_error_speaks_of_pythons_types(
    me: Client, admin: Client, method: str, path: str, body: object
) -> None:
    answer = await Client(me.http, me.headers | admin.headers).send(method, path, json=body)
    assert (answer.code, type(answer.body["detail"])) == (422, str)
    assert answer.body["errors"]
    assert not PYDANTIC.search(str(answer.body))


async def test_a_status_that_does_not_exist_is_refused_in_a_filter(me: Client) -> None:
    assert (await me.get("/meetings", status="finished")).code == 422
    assert (await me.get("/bots", status="active")).code == 200


async def test_an_answer_that_cannot_be_made_is_usher_fault_and_not_the_clients(
    me: Client, given: Scenario, user: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("usher_operator.api.schemas.responses.visible", lambda _: "no object")
    await given.a_bot(user)
    answer = await me.get("/meetings")
    assert (answer.code, answer.body["code"]) == (500, "internal")
    assert "A request failed." in caplog.text
