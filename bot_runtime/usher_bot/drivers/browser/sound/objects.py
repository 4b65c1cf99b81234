"""An S3-compatible store: one object per slice, so that nothing of a recording waits for its end.

With AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment each request is signed (Signature Version 4);
without them it is sent as it is, for a store or a proxy that knows the pod in another way.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import aiohttp
import tenacity
from yarl import URL

PUT_S = 15.0
TRIES = 4


@dataclass(frozen=True)
class Key:
    """What signs requests."""

    id: str
    secret: str
    region: str = "us-east-1"
    token: str | None = None

    @staticmethod
    def of(environment: Mapping[str, str]) -> "Key | None":
        """The key that the environment holds, by the names that every S3 client reads."""
        key_id, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
        if not key_id or not secret:
            return None
        region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
        return Key(id=key_id, secret=secret, region=region, token=environment.get("AWS_SESSION_TOKEN"))


def signed_headers(url: str, body: bytes, *, key: Key, now: datetime) -> dict[str, str]:
    """The headers that authorize one PUT."""
    parts = urlsplit(url)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {"host": parts.netloc, "x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-date": stamp}
    if key.token:
        headers["x-amz-security-token"] = key.token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join(["PUT", quote(unquote(parts.path)), "", lines, names, headers["x-amz-content-sha256"]])
    scope = f"{day}/{key.region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    signature = hmac.new(_signing_key(key, day), text.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key.id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def _signing_key(key: Key, day: str) -> bytes:
    signing = f"AWS4{key.secret}".encode()
    for part in (day, key.region, "s3", "aws4_request"):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    return signing


class ObjectSink:
    """Puts objects below one URL: `00000001.webm` (or the source's suffix) and on, `events/00000001.json` and on."""

    def __init__(
        self,
        url: str,
        *,
        key: Key | None,
        suffix: str = "webm",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._suffix = suffix
        self._now = now
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None
        self._slices = 0
        self._events = 0

    async def open(self) -> None:
        timeout = aiohttp.ClientTimeout(total=PUT_S)
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))

    async def take(self, data: bytes) -> None:
        self._slices += 1
        await self._put(f"{self._slices:08d}.{self._suffix}", data)

    async def note(self, event: dict[str, Any]) -> None:
        self._events += 1
        await self._put(f"events/{self._events:08d}.json", json.dumps(event).encode())

    async def close(self) -> None:
        await self._stack.aclose()

    @tenacity.retry(
        stop=tenacity.stop_after_attempt(TRIES),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=5),
        retry=tenacity.retry_if_exception_type((aiohttp.ClientError, TimeoutError)),
        reraise=True,
    )
    async def _put(self, name: str, body: bytes) -> None:
        if self._session is None:
            return
        url = f"{self._url}/{name}"
        headers = signed_headers(url, body, key=self._key, now=self._now()) if self._key else {}
        async with self._session.put(URL(url, encoded=True), data=body, headers=headers) as response:
            response.raise_for_status()
