"""What the gateways of Vexa sent to Usher when they ran from their published source, sent again.

Each file was recorded between a gateway (`services/api-gateway` of v0.6, v0.9 and v0.10.7, `core/gateway` of the
newest) and Usher while a client managed a user, keys, bots, meetings and the webhook through it: requests, statuses,
and the names of the answers' fields. The values are made up.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.operator.api.client import ADMIN_KEY, GATEWAY_SECRET, Client
from tests.integration.operator.api.conftest import Http

RECORDED = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "recorded").glob("*.json")}


class Replay:
    """One recording against one server: ids and keys are those of this run."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._known = {"admin": ADMIN_KEY, "secret": GATEWAY_SECRET}
        self._keys = 0
        self._meetings = 0

    async def send(self, exchange: dict[str, Any]) -> tuple[int, list[str]]:
        """Send one request; its status, and the names in its answer."""
        request = json.loads(self._filled(json.dumps({key: exchange.get(key) for key in ("path", "headers", "body")})))
        client = Client(self._http, request["headers"])
        answer = await client.send(exchange["method"], request["path"], json=request["body"])
        self._learn(exchange, answer.body)
        return answer.code, sorted(answer.body) if isinstance(answer.body, dict) else []

    def _filled(self, text: str) -> str:
        for name, value in self._known.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def _learn(self, exchange: dict[str, Any], body: Any) -> None:
        if exchange["method"] != "POST" or exchange["status"] != 201:
            return
        if exchange["path"] == "/admin/users":
            self._known["user"] = str(body["id"])
        elif "token" in body:
            self._known[f"key{self._keys}"] = body["token"]
            self._keys += 1
        elif exchange["path"] == "/bots":
            self._known[f"meeting{self._meetings}"] = str(body["id"])
            self._meetings += 1


@pytest.mark.parametrize("version", sorted(RECORDED))
async def test_a_gateway_of_vexa_finds_what_it_found(http: Http, version: str) -> None:
    replay, exchanges = Replay(http), RECORDED[version]
    assert len(exchanges) > 20
    for exchange in exchanges:
        status, names = await replay.send(exchange)
        assert (status, names) == (exchange["status"], exchange.get("answer", [])), exchange
