"""Who may speak for a meeting: its own pod, with a token that this cluster's API server gave it, while it is valid."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dev.cluster.settings import load
from dev.demo.kubectl import BOTS, SYSTEM
from tests.e2e.kit import Bot, Cluster, User
from tests.e2e.security import inside
from tests.e2e.security.inside import call

AUDIENCE = "usher-callback"


def issued(cluster: Cluster, account: str = "usher-bot", *, namespace: str = BOTS, pod: str = "", **flags: str) -> str:
    """A real token of the API server, for whoever is asked for: TokenRequest by an administrator."""
    bound = ("--bound-object-kind", "Pod", "--bound-object-name", pod) if pod else ()
    given = [f"--{name}={value}" for name, value in flags.items()]
    return cluster.kubectl("create", "token", account, "--namespace", namespace, *bound, *given).strip()


def pod_of(bot: Bot) -> str:
    (pod,) = bot.pods()
    return str(pod["metadata"]["name"])


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unverified."""
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def forged(header: Mapping[str, Any], claims: Mapping[str, Any], *, key: Any = None) -> str:
    """Those claims under that header; signed by the cluster's own key unless another is given."""
    own = (load().pki / "tokens.key").read_text()
    return jwt.encode(dict(claims), key or own, algorithm=header["alg"], headers={"kid": header["kid"]})


def encoded(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def signed_by_a_stranger(token: str, _other: str) -> str:
    header, claims = parts_of(token)
    stranger: Any = ec.generate_private_key(ec.SECP256R1())
    if header["alg"] == "RS256":
        stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return forged(header, claims, key=stranger)


def signed_by_nobody(token: str, _other: str) -> str:
    header, claims = parts_of(token)
    return f"{encoded(header | {'alg': 'none'})}.{encoded(claims)}."


def signed_with_the_public_key_as_a_password(token: str, _other: str) -> str:
    header, claims = parts_of(token)
    said = f"{encoded(header | {'alg': 'HS256'})}.{encoded(claims)}"
    key = (load().pki / "tokens.pub").read_bytes()
    signature = base64.urlsafe_b64encode(hmac.new(key, said.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
    return f"{said}.{signature}"


def with_another_pod_written_in(token: str, other: str) -> str:
    head, _, signature = token.split(".")
    _, claims = parts_of(token)
    claims["kubernetes.io"]["pod"]["name"] = other
    return f"{head}.{encoded(claims)}.{signature}"


def expired(token: str, _other: str) -> str:
    """Signed by the cluster's own key: everything about it is right but the time."""
    header, claims = parts_of(token)
    now = int(time.time())
    return forged(header, claims | {"iat": now - 700, "nbf": now - 700, "exp": now - 60})


def of_another_cluster(token: str, _other: str) -> str:
    header, claims = parts_of(token)
    return forged(header, claims | {"iss": "https://elsewhere"})


def not_a_token(_token: str, _other: str) -> str:
    return "a.b.c"


@pytest.mark.parametrize(
    "attempt",
    [
        signed_by_a_stranger,
        signed_by_nobody,
        signed_with_the_public_key_as_a_password,
        with_another_pod_written_in,
        expired,
        of_another_cluster,
        not_a_token,
    ],
)
def test_a_token_that_is_not_the_clusters_own_and_valid_is_refused(
    bots: tuple[Bot, Bot], attempt: Callable[[str, str], str]
) -> None:
    bot, other = bots
    token = attempt(inside.token_of(bot), pod_of(other))
    assert call(bot, connection_id=bot.uid, token=token)[0] == 401
    assert bot.row()["status"] == "active"


def test_the_same_key_and_claims_unchanged_are_accepted_so_the_refusals_mean_something(bot: Bot) -> None:
    header, claims = parts_of(inside.token_of(bot))
    again = forged(header, claims)
    assert call(bot, connection_id=bot.uid, token=again)[0] == 200


def test_a_token_for_another_audience_is_refused(cluster: Cluster, bot: Bot) -> None:
    for audience in ({}, {"audience": "vault"}):
        token = issued(cluster, pod=pod_of(bot), **audience)
        assert call(bot, connection_id=bot.uid, token=token)[0] == 401


@pytest.mark.parametrize(("namespace", "account"), [(BOTS, "default"), (SYSTEM, "usher-serve"), (SYSTEM, "default")])
def test_a_token_of_another_account_is_refused(cluster: Cluster, bot: Bot, namespace: str, account: str) -> None:
    token = issued(cluster, account, namespace=namespace, audience=AUDIENCE)
    assert call(bot, connection_id=bot.uid, token=token)[0] == 403


def test_a_token_that_is_bound_to_no_pod_is_refused(cluster: Cluster, bot: Bot) -> None:
    token = issued(cluster, audience=AUDIENCE)
    assert call(bot, connection_id=bot.uid, token=token)[0] == 403


EVERYTHING: list[tuple[str, dict[str, Any]]] = [
    ("started", {}),
    ("joined", {}),
    ("heartbeat", {"status": "stopping"}),
    ("status", {"status": "stopping"}),
    ("exited", {"exit_code": 0}),
]


def about(connection_id: str, wanted: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    return [(kind, {"connection_id": connection_id, **body}) for kind, body in wanted]


def test_a_token_of_another_bots_pod_is_refused_wherever_it_is_used(bots: tuple[Bot, Bot]) -> None:
    bot, other = bots
    answers = inside.calls(bot, about(bot.uid, EVERYTHING), token=inside.token_of(other))
    assert [status for status, _ in answers] == [403] * len(EVERYTHING)
    assert bot.row()["status"] == other.row()["status"] == "active"


def test_a_bot_cannot_report_for_another_meeting(bots: tuple[Bot, Bot]) -> None:
    bot, other = bots
    answers = inside.calls(bot, about(other.uid, EVERYTHING))
    assert [status for status, _ in answers] == [403] * len(EVERYTHING)
    assert other.row()["status"] == "active"


def test_what_is_said_again_changes_nothing(bot: Bot) -> None:
    said: list[tuple[str, dict[str, Any]]] = [
        ("joined", {"event_id": event_id}) for event_id in ("captured", "captured", "invented")
    ]
    inside.calls(bot, about(bot.uid, said[:1]))
    story = bot.story()
    for status, answer in inside.calls(bot, about(bot.uid, said)):
        assert (status, answer["new_status"], answer["applied"]) == (200, "active", False)
    assert bot.story() == story


def test_a_captured_token_is_worth_nothing_after_its_meeting(cluster: Cluster, user: User, bot: Bot) -> None:
    past = cluster.a_bot(user, called="past").apply().wait_for("Joined")
    captured = inside.token_of(past)
    past.ask_to_leave()
    past.ended()
    before = past.story()
    for status, answer in inside.calls(bot, about(past.uid, EVERYTHING[:3]), token=captured):
        assert (status, answer["terminate"]) == (410, True)
    assert call(bot, connection_id=bot.uid, token=captured)[0] == 403
    assert past.story() == before
    past.delete()
