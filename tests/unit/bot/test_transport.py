"""One try over a real socket: what is sent, and what each answer means."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from usher_bot import transport
from usher_bot.answers import Answer
from usher_bot.errors import (
    Unreachable,
)
from usher_bot.transport import Transport, without_secrets
from usher_models.wire import leave_command

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Say = Callable[..., Awaitable[Answer]]
GOOD = {"status": "callback processed", "meeting_id": 42, "new_status": "active", "applied": True, "next_beat_s": 30}


@pytest.fixture
async def say(session: aiohttp.ClientSession, token_file: Path) -> AsyncIterator[Say]:
    """Send one `joined` to a server that answers with the given handler."""
    servers: list[TestServer] = []

    async def send(handler: Handler, *, within_s: float = 10) -> Answer:
        application = web.Application()
        application.router.add_post("/bots/internal/callback/joined", handler)
        servers.append(TestServer(application))
        await servers[-1].start_server()
        url = str(servers[-1].make_url("")).rstrip("/")
        transport = Transport(session=session, base_url=url, token_file=token_file)
        return await transport.send("POST", "joined", body={"connection_id": "c"}, timeout_s=within_s)

    yield send
    for server in servers:
        await server.close()


def answering(status: int, document: object = None, *, headers: dict[str, str] | None = None) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=json.dumps(document), headers=headers)

    return handler


def rotate(token_file: Path, content: bytes | None) -> None:
    """What the kubelet does; None takes the file away."""
    token_file.unlink()
    if content is not None:
        token_file.write_bytes(content)


async def test_the_body_and_the_token_are_sent(say: Say) -> None:
    seen: list[tuple[object, str]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((await request.json(), request.headers["Authorization"]))
        return web.json_response(GOOD)

    await say(handler)
    assert seen == [({"connection_id": "c"}, "Bearer first-token")]


async def test_the_token_is_read_again_for_each_try(say: Say, token_file: Path) -> None:
    tokens: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        tokens.append(request.headers["Authorization"])
        return web.json_response(GOOD)

    await say(handler)
    rotate(token_file, b"second-token")
    await say(handler)
    assert tokens == ["Bearer first-token", "Bearer second-token"]


@pytest.mark.parametrize("content", [None, b"two\nlines", b"\xff\xfe"])
async def test_a_token_that_cannot_be_used_is_worth_another_try(
    say: Say, token_file: Path, content: bytes | None
) -> None:
    rotate(token_file, content)
    with pytest.raises(Unreachable, match=r"the token .* cannot be read|the token or the answer is not valid HTTP"):
        await say(answering(200, GOOD))


@pytest.mark.parametrize("document", [None, [], "text", {}, {"status": "error"}])
async def test_an_answer_that_makes_no_sense_is_worth_another_try(say: Say, document: object) -> None:
    with pytest.raises(Unreachable, match="answered HTTP 200"):
        await say(answering(200, document))


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("soon", None), ("-1", None), ("Wed, 21 Oct 2026", None)])
async def test_retry_after_is_read_when_it_is_a_number(say: Say, header: str, seconds: float | None) -> None:
    with pytest.raises(Unreachable, match="answered HTTP 503") as raised:
        await say(answering(503, headers={"Retry-After": header}))
    assert raised.value.retry_after_s == seconds


async def test_commands_and_the_pace_are_read_from_a_reply(say: Say) -> None:
    leave = leave_command(42)
    answer = await say(answering(200, {**GOOD, "commands": [leave.model_dump(), {"action": "dance"}, 7]}))
    assert answer == Answer(commands=[leave], next_beat_s=30)


@pytest.mark.parametrize("extra", [{"commands": None}, {"commands": {}}, {"next_beat_s": True}, {"next_beat_s": "3"}])
async def test_a_reply_from_another_version_is_understood(say: Say, extra: dict[str, object]) -> None:
    answer = await say(answering(200, {**GOOD, "new_status": "dancing", **extra}))
    assert answer.commands == []


async def test_a_redirection_is_not_followed_because_the_token_would_go_with_it(say: Say) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": request.path})

    with pytest.raises(Unreachable, match="answered HTTP 307"):
        await say(handler)
    assert len(asked) == 1


async def test_an_error_says_what_was_tried_where_and_what_came_back(say: Say) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=403, text="<html>RBAC:\n access denied", content_type="text/html")

    with pytest.raises(Unreachable, match="answered HTTP 403") as raised:
        await say(handler)
    sentence = str(raised.value)
    assert sentence.startswith("POST http://127.0.0.1:")
    assert sentence.endswith("/bots/internal/callback/joined answered HTTP 403 with '<html>RBAC: access denied'.")


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://no-such-host.invalid:8081", "the name 'no-such-host.invalid' cannot be resolved"),
        ("http://127.0.0.1:{port}", "cannot connect to 127.0.0.1:{port} (connection refused)"),
    ],
)
async def test_an_error_says_why_there_is_no_answer(
    session: aiohttp.ClientSession, token_file: Path, url: str, cause: str
) -> None:
    port = unused_port()
    transport = Transport(session=session, base_url=url.format(port=port), token_file=token_file)
    with pytest.raises(Unreachable) as raised:
        await transport.send("POST", "joined", body={}, timeout_s=1)
    assert cause.format(port=port) in str(raised.value)


def test_a_url_is_named_without_its_login_and_query() -> None:
    assert without_secrets("http://user:hunter22@serve:8081/a?token=x#y") == "http://serve:8081/a"


async def test_an_error_says_that_tls_failed(session: aiohttp.ClientSession, token_file: Path) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response()

    application = web.Application()
    application.router.add_post("/bots/internal/callback/joined", handler)
    async with TestServer(application) as server:
        transport = Transport(session=session, base_url=f"https://127.0.0.1:{server.port}", token_file=token_file)
        with pytest.raises(Unreachable, match="failed: TLS"):
            await transport.send("POST", "joined", body={}, timeout_s=1)


async def test_an_error_names_the_token_that_cannot_be_read(say: Say, token_file: Path) -> None:
    rotate(token_file, None)
    with pytest.raises(Unreachable, match=f"the token {token_file} cannot be read"):
        await say(answering(200, GOOD))


async def test_a_server_that_does_not_answer_in_time_is_unreachable(say: Say) -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    with pytest.raises(Unreachable, match=r"timed out after 0\.2 s"):
        await say(handler, within_s=0.2)


async def test_a_connection_that_breaks_is_unreachable(say: Say) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    with pytest.raises(Unreachable, match="connection was closed before"):
        await say(handler)


async def test_a_closed_port_is_unreachable(session: aiohttp.ClientSession, token_file: Path) -> None:
    transport = Transport(session=session, base_url=f"http://127.0.0.1:{unused_port()}", token_file=token_file)
    with pytest.raises(Unreachable, match="cannot connect to"):
        await transport.send("POST", "joined", body={}, timeout_s=1)


async def test_an_error_never_carries_the_token(say: Say, token_file: Path) -> None:
    rotate(token_file, b"secret-token\r\nX-Other: 1")
    with pytest.raises(Unreachable, match="not valid HTTP") as raised:
        await say(answering(200, GOOD))
    assert "secret-token" not in str(raised.value)


def tls_error(**attributes: object) -> ssl.SSLError:
    """What Python raises of a handshake, with what OpenSSL said of it."""
    error = ssl.SSLError(1, "a text that may hold anything")
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (tls_error(reason="WRONG_VERSION_NUMBER"), "failed: TLS (WRONG_VERSION_NUMBER)"),
        (tls_error(verify_message="certificate has expired", reason="X"), "failed: TLS (certificate has expired)"),
        (tls_error(reason=None), "failed: TLS (handshake failed)"),
        (tls_error(certificate_error=tls_error(verify_message="self-signed")), "failed: TLS (self-signed)"),
        (tls_error(os_error=tls_error(reason="EOF")), "failed: TLS (EOF)"),
    ],
)
def test_a_tls_error_is_told_in_openssls_words_only(error: ssl.SSLError, cause: str) -> None:
    assert transport._cause(error, timeout_s=1) == cause


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError("anything"), "connection refused"),
        (OSError(113, "No route to host"), "No route to host"),
        (OSError(), "OSError"),
    ],
)
def test_what_kept_a_connection_from_being_made_is_told(error: OSError, reason: str) -> None:
    assert transport._reason_of(error) == reason
