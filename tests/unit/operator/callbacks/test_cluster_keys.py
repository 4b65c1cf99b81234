"""The cluster's keys have an age, and a fetch is shared by all that wait for it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.tokens import AUDIENCE, ISSUER, NAMESPACE, SERVICE_ACCOUNT, TokenIssuer
from usher_models.errors import KubernetesUnavailable, Unauthorized
from usher_operator.callbacks import cluster_keys
from usher_operator.callbacks.cluster_keys import ISSUER_KEPT_S, REFRESH_EVERY_S, RETRY_AFTER_S, KeyRing
from usher_operator.callbacks.pod_token import TokenVerifier

NEW_ISSUER = "https://new.example.org"


class ApiServer:
    """Publishes keys and an issuer; may be away, hang, or answer nonsense."""

    def __init__(self, *signers: TokenIssuer) -> None:
        self.signers = list(signers)
        self.issuer = ISSUER
        self.away = False
        self.nonsense: Mapping[str, Any] | None = None
        self.hangs: asyncio.Event | None = None
        self.fetches = 0

    async def keys(self) -> Mapping[str, Any]:
        self.fetches += 1
        if self.hangs is not None:
            await self.hangs.wait()
        if self.away:
            raise KubernetesUnavailable
        return self.nonsense or {"keys": [signer.jwk() for signer in self.signers]}

    async def issuer_now(self) -> str:
        return self.issuer


def a_verifier(keys: KeyRing) -> TokenVerifier:
    return TokenVerifier(keys, audience=AUDIENCE, namespaces=(NAMESPACE,), service_account=SERVICE_ACCOUNT)


@pytest.fixture
def signer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture
def api_server(signer: TokenIssuer) -> ApiServer:
    return ApiServer(signer)


@pytest.fixture
def keys(api_server: ApiServer, clock: FakeClock) -> KeyRing:
    return KeyRing(api_server.keys, fetch_issuer=api_server.issuer_now, clock=clock)


class Stopped(Exception):
    """The end of a loop that has none."""


async def keep_fresh(keys: KeyRing, clock: FakeClock, *, rounds: int) -> list[float]:
    """Let the background refresh run; how long it paused after each round."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)
        if len(pauses) == rounds:
            raise Stopped

    with pytest.raises(Stopped):
        await keys.keep_fresh(pause)
    return pauses


async def test_a_withdrawn_key_is_refused_after_the_next_refresh(
    keys: KeyRing, api_server: ApiServer, clock: FakeClock, signer: TokenIssuer
) -> None:
    verifier, token = a_verifier(keys), f"Bearer {signer.token()}"
    await verifier.verify(token)
    api_server.signers = [TokenIssuer(kid="key-2")]
    assert await keep_fresh(keys, clock, rounds=2) == [REFRESH_EVERY_S, REFRESH_EVERY_S]
    with pytest.raises(Unauthorized, match="signed by no key of this cluster"):
        await verifier.verify(token)
    with pytest.raises(Unauthorized, match="signed by no key of this cluster"):
        await verifier.verify(f"Bearer {signer.token(pod_uid='another')}")


async def test_while_the_api_server_is_away_the_old_keys_stay_and_it_is_asked_soon_again(
    keys: KeyRing, api_server: ApiServer, clock: FakeClock, signer: TokenIssuer
) -> None:
    await keep_fresh(keys, clock, rounds=1)
    api_server.away = True
    assert await keep_fresh(keys, clock, rounds=3) == [RETRY_AFTER_S] * 3
    await a_verifier(keys).verify(f"Bearer {signer.token()}")
    api_server.away = False
    assert await keep_fresh(keys, clock, rounds=1) == [REFRESH_EVERY_S]


@pytest.mark.parametrize("nonsense", [{"keys": []}, {"keys": [{"kty": "none"}]}, {"keys": 1}, {"more": "keys"}])
async def test_keys_that_cannot_be_read_do_not_replace_the_old(
    keys: KeyRing, api_server: ApiServer, clock: FakeClock, signer: TokenIssuer, nonsense: Mapping[str, Any]
) -> None:
    await keep_fresh(keys, clock, rounds=1)
    api_server.nonsense = nonsense
    assert await keep_fresh(keys, clock, rounds=1) == [RETRY_AFTER_S]
    await a_verifier(keys).verify(f"Bearer {signer.token()}")


async def test_the_same_keys_again_leave_what_was_verified(
    keys: KeyRing, api_server: ApiServer, clock: FakeClock
) -> None:
    await keep_fresh(keys, clock, rounds=1)
    generation = keys.generation
    stranger = TokenIssuer("ES256", kid="key-9")
    for _ in range(5):
        clock.advance(20)
        with pytest.raises(Unauthorized, match="signed by no key of this cluster"):
            await a_verifier(keys).verify(f"Bearer {stranger.token()}")
    assert api_server.fetches == 6
    assert keys.generation == generation
    api_server.signers.append(stranger)
    clock.advance(20)
    await a_verifier(keys).verify(f"Bearer {stranger.token()}")
    assert keys.generation == generation + 1


async def test_twenty_that_wait_for_a_slow_api_server_share_one_fetch_and_wait_once(
    keys: KeyRing, api_server: ApiServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_keys, "WAIT_AT_MOST_S", 0.05)
    await keep_fresh(keys, clock, rounds=1)
    api_server.hangs = asyncio.Event()
    stranger = TokenIssuer("ES256", kid="key-9")
    verifier = a_verifier(keys)
    waiting = [asyncio.create_task(verifier.verify(f"Bearer {stranger.token()}")) for _ in range(20)]
    async with asyncio.timeout(1):
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [KubernetesUnavailable] * 20
    assert api_server.fetches == 2
    # The fetch went on: its answer serves those that come later.
    api_server.signers.append(stranger)
    api_server.hangs.set()
    await keys.refresh()
    await verifier.verify(f"Bearer {stranger.token()}")
    assert api_server.fetches == 2


async def test_one_that_gives_up_does_not_end_the_fetch_of_the_others(
    keys: KeyRing, api_server: ApiServer, signer: TokenIssuer
) -> None:
    api_server.hangs = asyncio.Event()
    verifier = a_verifier(keys)
    first, second = (asyncio.create_task(verifier.verify(f"Bearer {signer.token()}")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    api_server.hangs.set()
    assert (await second).job_name == "bot-1"
    assert api_server.fetches == 1


async def test_a_new_issuer_is_learned_from_its_first_token(
    keys: KeyRing, api_server: ApiServer, clock: FakeClock, signer: TokenIssuer
) -> None:
    verifier = a_verifier(keys)
    await verifier.verify(f"Bearer {signer.token()}")
    api_server.issuer = NEW_ISSUER
    clock.advance(20)
    await verifier.verify(f"Bearer {signer.token(issuer=NEW_ISSUER)}")
    # Tokens of the earlier issuer are still valid at the API server too.
    await verifier.verify(f"Bearer {signer.token(pod_uid='another')}")


async def test_an_earlier_issuer_is_refused_when_its_tokens_have_expired(
    keys: KeyRing, api_server: ApiServer, clock: FakeClock, signer: TokenIssuer
) -> None:
    await keep_fresh(keys, clock, rounds=1)
    api_server.issuer = NEW_ISSUER
    clock.advance(ISSUER_KEPT_S)
    await keep_fresh(keys, clock, rounds=1)
    with pytest.raises(Unauthorized, match="not signed by this cluster"):
        await a_verifier(keys).verify(f"Bearer {signer.token()}")


async def test_an_issuer_that_nobody_published_is_refused(keys: KeyRing, signer: TokenIssuer) -> None:
    with pytest.raises(Unauthorized, match="not signed by this cluster"):
        await a_verifier(keys).verify(f"Bearer {signer.token(issuer='https://elsewhere.example.org')}")


async def test_issuers_of_the_settings_are_all_accepted_and_no_other(
    api_server: ApiServer, signer: TokenIssuer
) -> None:
    verifier = TokenVerifier(
        KeyRing(api_server.keys),
        issuers=(ISSUER, NEW_ISSUER),
        audience=AUDIENCE,
        namespaces=(NAMESPACE,),
        service_account=SERVICE_ACCOUNT,
    )
    await verifier.verify(f"Bearer {signer.token()}")
    await verifier.verify(f"Bearer {signer.token(issuer=NEW_ISSUER)}")
    with pytest.raises(Unauthorized, match="missing, malformed, expired or not signed"):
        await verifier.verify(f"Bearer {signer.token(issuer='https://elsewhere.example.org')}")
