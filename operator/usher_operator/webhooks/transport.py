"""One attempt: a POST to a checked target, with bounds on its time and on the bytes read from the answer.

It follows no redirects, keeps no cookies, uses no proxy and never reuses a connection: each attempt resolves and checks
the target anew.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from usher_operator.webhooks.guard import Guard, TargetRefused

TIMEOUT_S = 10.0
# A name server that does not answer is asked this often, for this long; together less than an attempt may take.
DNS_TRIES = 2
DNS_TIMEOUT_S = 2.0
ANSWER_MAX_BYTES = 1024


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The outcome: an HTTP status, or the reason for having none. `error` never contains the URL or the secret."""

    status: int | None = None
    error: str | None = None
    refused: bool = False

    @property
    def delivered(self) -> bool:
        """True if the receiver accepted the delivery."""
        return self.status is not None and 200 <= self.status < 300


class GuardedResolver(AbstractResolver):
    """Resolves a name and returns only checked addresses, which the connection then uses."""

    def __init__(self, guard: Guard, inner: AbstractResolver | None = None) -> None:
        self._guard = guard
        # Not the system's resolver: it occupies threads that the database and Redis need to connect, and a user's slow
        # name server would hold them.
        self._inner = inner or aiohttp.AsyncResolver(timeout=DNS_TIMEOUT_S, tries=DNS_TRIES)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises TargetRefused."""
        addresses = await self._inner.resolve(host, port, family)
        self._guard.check_addresses(host, [each["host"] for each in addresses])
        return addresses

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()


class Transport:
    """Posts deliveries."""

    def __init__(self, guard: Guard, *, resolver: AbstractResolver | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._guard = guard
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(guard, resolver), use_dns_cache=False, force_close=True, limit=0
            ),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> Answer:
        """Post once; never raises."""
        try:
            return await self._post(url, body, headers)
        except TargetRefused as exc:
            return Answer(error=str(exc), refused=True)
        except TimeoutError:
            return Answer(error="The receiver did not answer in time.")
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            # Not the exception's text, which contains the URL.
            return Answer(error=f"The receiver could not be reached ({type(exc).__name__}).")

    async def _post(self, url: str, body: str, headers: Mapping[str, str]) -> Answer:
        target = self._guard.check_url(url)
        all_headers = {"Content-Type": "application/json", "User-Agent": "Usher-Webhooks/1", **headers}
        async with self._session.post(
            target, data=body.encode(), headers=all_headers, allow_redirects=False
        ) as response:
            start = await response.content.read(ANSWER_MAX_BYTES)
        if 200 <= response.status < 300:
            return Answer(status=response.status)
        excerpt = start.decode(errors="replace").replace("\x00", "").strip()
        return Answer(status=response.status, error=f"HTTP {response.status}: {excerpt}".rstrip(": "))
