"""A callback server on the loopback device: records what a bot says and answers as it was told to."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from usher_models.wire import Command, Problem

_CODES = {401: "unauthorized", 403: "forbidden", 404: "unknown_connection", 503: "database_unavailable"}
_TERMINATE = ("meeting_over", "another_pod_speaks")
_STATUS = {"heartbeat": "heartbeat processed", "status": "status update processed"}


@dataclass(frozen=True)
class Call:
    """One request of a bot."""

    at: float
    method: str
    name: str
    body: dict[str, Any]
    authorization: str


class FakeControlPlane:
    """Accepts everything unless `refuse` or `disconnect` said otherwise."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        self.calls: list[Call] = []
        self.commands: list[Command] = []
        self.commands_on: str | None = None
        self.next_beat_s: float | None = 30.0
        self.url = ""
        self._now = now
        self._scripts: dict[str, deque[Callable[[], web.Response]]] = defaultdict(deque)
        self._always: dict[str, Callable[[], web.Response]] = {}

    def application(self) -> web.Application:
        """What the test server runs."""
        application = web.Application()
        application.router.add_route("*", "/bots/internal/callback/{name}", self._answer)
        return application

    def refuse(
        self,
        name: str,
        status: int,
        *,
        code: str | None = None,
        times: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer `name` with an error, `times` times or from now on."""

        def refusal() -> web.Response:
            problem = Problem(code=code or _CODES[status], detail="No.", terminate=code in _TERMINATE)
            return web.json_response(problem.model_dump(), status=status, headers=headers)

        if times is None:
            self._always[name] = refusal
        else:
            self._scripts[name].extend([refusal] * times)

    def recover(self) -> None:
        """Accept everything again."""
        self._always.clear()
        self._scripts.clear()

    def names(self) -> list[str]:
        """What was called, in order, without heartbeats."""
        return [call.name for call in self.calls if call.name != "heartbeat"]

    def of(self, name: str) -> list[Call]:
        """The calls of that name."""
        return [call for call in self.calls if call.name == name]

    async def _answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        authorization = request.headers.get("Authorization", "")
        self.calls.append(Call(self._now(), request.method, name, await request.json(), authorization))
        if self._scripts[name]:
            return self._scripts[name].popleft()()
        if name in self._always:
            return self._always[name]()
        return web.json_response(self._reply(name))

    def _reply(self, name: str) -> dict[str, Any]:
        tells = self.commands_on in (None, name)
        return {
            "status": _STATUS.get(name, "callback processed"),
            "meeting_id": 42,
            "new_status": "active",
            "applied": True,
            "commands": [command.model_dump(exclude_none=True) for command in self.commands] if tells else [],
            "next_beat_s": self.next_beat_s,
        }
