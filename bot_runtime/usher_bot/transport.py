"""One try of one callback over HTTP, and in words what came of it.

The transport borrows the process's HTTP session and keeps nothing between tries; it reads the token anew each time,
because the kubelet replaces it. `answers` decides what an answer means, `retry` whether to try again.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from usher_bot.answers import Answer, understand
from usher_bot.errors import Unreachable


class Transport:
    """Sends callbacks to the callback server."""

    def __init__(self, *, session: aiohttp.ClientSession, base_url: str, token_file: Path) -> None:
        self._session = session
        self._base_url = base_url
        self._token_file = token_file

    async def send(self, method: str, name: str, *, body: Mapping[str, Any], timeout_s: float) -> Answer:
        """Try once. Raises a BotError that says what was tried and what came back."""
        url = f"{self._base_url}/bots/internal/callback/{name}"
        try:
            async with self._session.request(
                method,
                url,
                json=body,
                headers={"Authorization": f"Bearer {self._token()}"},
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                allow_redirects=False,
            ) as response:
                return understand(response.status, await response.read(), response.headers)
        except Unreachable as exc:
            raise Unreachable(_sentence(method, url, str(exc)), retry_after_s=exc.retry_after_s) from exc
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise Unreachable(_sentence(method, url, _cause(exc, timeout_s=timeout_s))) from exc

    def _token(self) -> str:
        try:
            return self._token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as exc:
            raise Unreachable(f"was not sent, because the token {self._token_file} cannot be read") from exc


def without_secrets(url: str) -> str:
    """The URL without a login, a query or a fragment: what may be logged and reported."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _sentence(method: str, url: str, came_back: str) -> str:
    return f"{method} {without_secrets(url)} {came_back}."


def _cause(exc: Exception, *, timeout_s: float) -> str:
    """What came back instead of an answer. Texts of libraries are used only where they cannot hold the token."""
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return f"failed: the name {exc.host!r} cannot be resolved ({exc.os_error.strerror or 'DNS failure'})"
    if isinstance(exc, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return f"failed: TLS ({_tls_cause(exc)})"
    if isinstance(exc, TimeoutError):
        return f"timed out after {timeout_s:g} s"
    if isinstance(exc, aiohttp.ClientConnectorError):
        return f"failed: cannot connect to {exc.host}:{exc.port} ({_reason_of(exc.os_error)})"
    if isinstance(exc, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientOSError):
        return "failed: the connection was closed before an answer"
    return "failed: the token or the answer is not valid HTTP"


def _reason_of(exc: OSError) -> str:
    if isinstance(exc, ConnectionRefusedError):
        return "connection refused"
    return exc.strerror or type(exc).__name__


def _tls_cause(exc: Exception) -> str:
    cause = getattr(exc, "certificate_error", None) or getattr(exc, "os_error", None) or exc
    return str(getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "handshake failed")
