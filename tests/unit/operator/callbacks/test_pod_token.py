"""Who may call: real keys, real signatures, and every token that must not pass."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.bots import a_bot_row
from tests.fakes.clock import FakeClock
from tests.fakes.tokens import AUDIENCE, ISSUER, NAMESPACE, SERVICE_ACCOUNT, Algorithm, TokenIssuer
from usher_models.db.speaker import Speaker
from usher_models.errors import Forbidden, KubernetesUnavailable, Unauthorized
from usher_operator.callbacks.cluster_keys import KeyRing
from usher_operator.callbacks.pod_token import TOKEN_MAX_LENGTH, TokenVerifier

POD = Speaker(namespace=NAMESPACE, job_name="bot-1", pod_uid="pod-uid")


class Publisher:
    """The API server's endpoint for keys: counts how often it is asked, and may be away."""

    def __init__(self, *issuers: TokenIssuer) -> None:
        self.issuers = list(issuers)
        self.asked = 0
        self.away = False

    async def fetch(self) -> Mapping[str, Any]:
        self.asked += 1
        if self.away:
            raise KubernetesUnavailable
        return {"keys": [issuer.jwk() for issuer in self.issuers]}


def a_verifier(publisher: Publisher, clock: FakeClock | None = None, *, most_verified: int = 100) -> TokenVerifier:
    return TokenVerifier(
        KeyRing(publisher.fetch, clock=clock or FakeClock()),
        issuers=(ISSUER,),
        audience=AUDIENCE,
        namespaces=(NAMESPACE,),
        service_account=SERVICE_ACCOUNT,
        most_verified=most_verified,
    )


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture
def publisher(issuer: TokenIssuer) -> Publisher:
    return Publisher(issuer)


@pytest.fixture
def verifier(publisher: Publisher, clock: FakeClock) -> TokenVerifier:
    return a_verifier(publisher, clock)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_good_token_is_the_identity_of_its_pod(algorithm: Algorithm) -> None:
    issuer = TokenIssuer(algorithm)
    assert await a_verifier(Publisher(issuer)).verify(f"Bearer {issuer.token()}") == POD


async def test_the_scheme_is_read_in_any_case(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    assert await verifier.verify(f"bearer {issuer.token()}") == POD


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        pytest.param({"expires_in": -60}, "The token has expired", id="expired"),
        pytest.param({"audience": "vault"}, "The token is not meant for usher-callback", id="audience"),
        pytest.param({"issuer": "https://another.cluster"}, "not signed by this cluster", id="issuer"),
    ],
)
async def test_a_token_for_something_else_is_no_proof(
    verifier: TokenVerifier, issuer: TokenIssuer, claims: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Unauthorized, match=sentence):
        await verifier.verify(f"Bearer {issuer.token(**claims)}")


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        pytest.param({"namespace": "default"}, "bot's ServiceAccount", id="namespace"),
        pytest.param({"service_account": "default"}, "bot's ServiceAccount", id="service account"),
        pytest.param({"pod_name": None}, "not bound to a pod", id="unbound"),
        pytest.param({"pod_uid": ""}, "not bound to a pod", id="without the pod's uid"),
    ],
)
async def test_a_token_of_somebody_else_is_forbidden(
    verifier: TokenVerifier, issuer: TokenIssuer, claims: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Forbidden, match=sentence):
        await verifier.verify(f"Bearer {issuer.token(**claims)}")


@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "aud", "sub"])
async def test_a_token_without_a_claim_that_counts_is_no_proof(
    verifier: TokenVerifier, issuer: TokenIssuer, claim: str
) -> None:
    claims = issuer.claims()
    del claims[claim]
    with pytest.raises(Unauthorized, match="missing, malformed, expired or not signed"):
        await verifier.verify(f"Bearer {issuer.sign(claims)}")


async def test_a_token_that_is_not_valid_yet_is_no_proof(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    with pytest.raises(Unauthorized, match="missing, malformed, expired or not signed"):
        await verifier.verify(f"Bearer {issuer.sign(issuer.claims() | {'nbf': int(time.time()) + 600})}")


async def test_a_clock_that_is_a_little_off_is_forgiven(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    assert await verifier.verify(f"Bearer {issuer.token(expires_in=-2)}") == POD


async def test_the_algorithm_none_is_no_signature(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    header = b64(json.dumps({"alg": "none", "typ": "JWT", "kid": issuer.kid}).encode())
    token = f"{header}.{b64(json.dumps(issuer.claims()).encode())}."
    with pytest.raises(Unauthorized, match="missing, malformed, expired or not signed"):
        await verifier.verify(f"Bearer {token}")


async def test_the_public_key_is_no_shared_secret(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    """CVE-2016-10555: HS256 with the public key as its secret. PyJWT refuses to sign so; an attacker does not."""
    pem = issuer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = b64(json.dumps({"alg": "HS256", "typ": "JWT", "kid": issuer.kid}).encode())
    signed = f"{header}.{b64(json.dumps(issuer.claims()).encode())}"
    signature = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
    with pytest.raises(Unauthorized, match="missing, malformed, expired or not signed"):
        await verifier.verify(f"Bearer {signed}.{b64(signature)}")


async def test_a_key_of_another_cluster_under_the_same_name_is_no_proof(verifier: TokenVerifier) -> None:
    impostor = TokenIssuer(kid="key-2")
    with pytest.raises(Unauthorized, match="missing, malformed, expired or not signed"):
        await verifier.verify(f"Bearer {impostor.sign(impostor.claims(), kid='key-1')}")


async def test_an_algorithm_that_is_not_the_keys_is_no_proof(issuer: TokenIssuer) -> None:
    publisher = Publisher(issuer, TokenIssuer("ES256", kid="ec"))
    token = TokenIssuer("RS256").sign(issuer.claims(), kid="ec")
    with pytest.raises(Unauthorized, match="missing, malformed, expired or not signed"):
        await a_verifier(publisher).verify(f"Bearer {token}")


async def test_a_changed_claim_breaks_the_signature(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    header, _, signature = issuer.token().split(".")
    forged = b64(json.dumps(issuer.claims(pod_name="bot-2-abcde")).encode())
    with pytest.raises(Unauthorized, match="missing, malformed, expired or not signed"):
        await verifier.verify(f"Bearer {header}.{forged}.{signature}")


async def test_a_token_without_the_name_of_its_key_is_no_proof(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    token = jwt.encode(issuer.claims(), issuer.key, algorithm="RS256")
    with pytest.raises(Unauthorized, match="names no key"):
        await verifier.verify(f"Bearer {token}")


async def test_an_oversized_token_is_not_even_read(publisher: Publisher, verifier: TokenVerifier) -> None:
    with pytest.raises(Unauthorized, match="too long"):
        await verifier.verify("Bearer " + "x" * (TOKEN_MAX_LENGTH + 1))
    assert publisher.asked == 0


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "token"])
async def test_without_a_bearer_token_it_is_said_what_to_send(verifier: TokenVerifier, header: str | None) -> None:
    with pytest.raises(Unauthorized, match="Authorization: Bearer"):
        await verifier.verify(header)


GARBAGE = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=100).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.lists(st.binary(max_size=40).map(b64), min_size=2, max_size=4).map(".".join),
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64"]), st.none() | st.booleans() | st.text()).map(
        lambda header: f"{b64(json.dumps(header).encode())}.e30.AAAA"
    ),
)


@given(token=GARBAGE)
async def test_garbage_is_refused_and_breaks_nothing(token: str) -> None:
    with pytest.raises(Unauthorized, match=r"signed by|Authorization: Bearer|names no key|too long"):
        await a_verifier(Publisher(TokenIssuer())).verify(f"Bearer {token}")


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@given(part=st.sampled_from(["namespace", "serviceaccount", "pod", None]), value=ODD)
async def test_claims_of_an_odd_shape_are_refused_and_break_nothing(part: str | None, value: object) -> None:
    issuer = TokenIssuer("ES256")
    claims = issuer.claims()
    if part is None:
        claims["kubernetes.io"] = value
    else:
        claims["kubernetes.io"][part] = value
    with pytest.raises(Forbidden, match=r"does not belong to a bot's ServiceAccount|is not bound to a pod"):
        await a_verifier(Publisher(issuer)).verify(f"Bearer {issuer.sign(claims)}")


async def test_keys_are_fetched_once_for_many_tokens(
    publisher: Publisher, verifier: TokenVerifier, issuer: TokenIssuer
) -> None:
    for _ in range(5):
        await verifier.verify(f"Bearer {issuer.token()}")
    assert publisher.asked == 1


async def test_a_rotated_key_is_fetched(
    publisher: Publisher, verifier: TokenVerifier, issuer: TokenIssuer, clock: FakeClock
) -> None:
    await verifier.verify(f"Bearer {issuer.token()}")
    rotated = TokenIssuer("ES256", kid="key-9")
    publisher.issuers.append(rotated)
    clock.advance(10)
    assert await verifier.verify(f"Bearer {rotated.token()}") == POD
    assert await verifier.verify(f"Bearer {issuer.token()}") == POD
    assert publisher.asked == 2


async def test_an_unknown_key_is_looked_for_at_most_every_ten_seconds(
    publisher: Publisher, verifier: TokenVerifier, clock: FakeClock
) -> None:
    stranger = TokenIssuer("ES256", kid="key-9")
    asked = []
    for seconds in (0, 0, 5, 4.9, 0.2, 0):
        clock.advance(seconds)
        with pytest.raises(Unauthorized, match="no key of this cluster"):
            await verifier.verify(f"Bearer {stranger.token()}")
        asked.append(publisher.asked)
    assert asked == [1, 1, 1, 1, 2, 2]


async def test_an_unknown_key_does_not_hammer_an_api_server_that_is_away(
    publisher: Publisher, verifier: TokenVerifier, issuer: TokenIssuer, clock: FakeClock
) -> None:
    await verifier.verify(f"Bearer {issuer.token()}")
    clock.advance(60)
    publisher.away = True
    stranger = TokenIssuer("ES256", kid="key-9")
    for _ in range(5):
        # The key may be the cluster's newest: a bot that has it is told to wait, and not that it is wrong.
        with pytest.raises(KubernetesUnavailable, match="cannot be fetched"):
            await verifier.verify(f"Bearer {stranger.token()}")
    assert publisher.asked == 2


async def test_known_keys_outlive_the_api_server(
    publisher: Publisher, verifier: TokenVerifier, issuer: TokenIssuer, clock: FakeClock
) -> None:
    await verifier.verify(f"Bearer {issuer.token()}")
    publisher.away = True
    clock.advance(100_000)
    assert await verifier.verify(f"Bearer {issuer.token()}") == POD


async def test_without_any_key_nobody_is_told_that_the_token_is_wrong(
    publisher: Publisher, verifier: TokenVerifier, issuer: TokenIssuer
) -> None:
    publisher.away = True
    with pytest.raises(KubernetesUnavailable, match="keys cannot be fetched"):
        await verifier.verify(f"Bearer {issuer.token()}")
    publisher.away = False
    assert await verifier.verify(f"Bearer {issuer.token()}") == POD


@pytest.mark.parametrize(
    ("namespace", "job_name", "own"),
    [
        ("bots", "bot-1", True),
        ("bots", "bot-11", False),
        ("bots", "bot", False),
        ("bots", "bot-1-abcde", False),
        ("more-bots", "bot-1", False),
        (None, "bot-1", False),
    ],
)
def test_a_pod_speaks_only_for_its_own_job(namespace: str | None, job_name: str, own: bool) -> None:
    bot = a_bot_row(request_namespace=namespace, job_name=job_name)
    if own:
        POD.require_job_of(bot)
        return
    with pytest.raises(Forbidden, match="bot-1, which is not this meeting's"):
        POD.require_job_of(bot)


def decoding(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens whose signatures were verified, as they are."""
    decoded: list[str] = []
    really = jwt.decode

    def noting(token: str, *arguments: Any, **options: Any) -> Any:
        decoded.append(token)
        return really(token, *arguments, **options)

    monkeypatch.setattr(jwt, "decode", noting)
    return decoded


async def verified(verifier: TokenVerifier, *tokens: str) -> None:
    for token in tokens:
        await verifier.verify(f"Bearer {token}")


async def test_a_token_is_verified_once(
    verifier: TokenVerifier, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, token = decoding(monkeypatch), issuer.token()
    await verified(verifier, token, token, token)
    assert decoded == [token]


async def test_a_token_that_was_verified_is_looked_at_again_when_it_expires(
    publisher: Publisher, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    clock.advance(time.time() - clock())
    decoded, token = decoding(monkeypatch), issuer.token(expires_in=60)
    verifier = TokenVerifier(
        KeyRing(publisher.fetch, clock=clock),
        issuers=(ISSUER,),
        audience=AUDIENCE,
        namespaces=(NAMESPACE,),
        service_account=SERVICE_ACCOUNT,
        clock=clock,
    )
    await verified(verifier, token, token)
    clock.advance(70)
    await verified(verifier, token)
    assert decoded == [token, token]


async def test_when_keys_are_fetched_anew_every_token_is_proved_anew(
    publisher: Publisher, verifier: TokenVerifier, clock: FakeClock, issuer: TokenIssuer
) -> None:
    await verified(verifier, issuer.token())
    publisher.issuers = [TokenIssuer(kid="key-2")]
    clock.advance(10)
    await verified(verifier, publisher.issuers[0].token())
    with pytest.raises(Unauthorized, match="signed by no key of this cluster"):
        await verified(verifier, issuer.token())


async def test_the_token_that_was_silent_longest_is_forgotten_first(
    publisher: Publisher, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = a_verifier(publisher, most_verified=2)
    first, second, third = (issuer.token(pod_name=f"bot-1-{name}") for name in "abc")
    decoded = decoding(monkeypatch)
    await verified(verifier, first, second, first, third, first, second)
    assert decoded == [first, second, third, second]
