"""Receivers verify with the standard's own library, or as Vexa's receivers do."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from usher_operator.webhooks.signature import headers, key_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def signed(body: str, secret: str | None, *, at: datetime = NOW, encrypted: bool = True) -> dict[str, str]:
    return headers(event_id="evt_1", body=body, secret=secret, at=at, encrypted=encrypted)


def test_the_published_vector() -> None:
    sent = headers(
        event_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        body='{"test": 2432232314}',
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        at=datetime.fromtimestamp(1_614_265_330, UTC),
        encrypted=True,
    )
    assert sent["webhook-timestamp"] == "1614265330"
    assert sent["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(body=st.text(), secret=st.text(min_size=1).filter(str.strip))
def test_the_library_takes_every_body_and_secret(body: str, secret: str) -> None:
    sent = signed(body, secret, at=datetime.now(UTC))
    receiver = Webhook(key_of(secret.strip()))
    receiver.verify(body, sent, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        receiver.verify(body + " ", sent, json_parse=False)


@given(key=st.binary(min_size=1))
def test_a_standard_secret_is_base64(key: bytes) -> None:
    encoded = base64.b64encode(key).decode()
    assert key_of(f"whsec_{encoded}") == key_of(f"whsec_{encoded.rstrip('=')}") == key


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64!", "plain", "wörter"])
def test_any_other_secret_is_its_own_key(secret: str) -> None:
    assert key_of(secret) == secret.encode()


def test_a_receiver_of_vexa_finds_what_it_looks_for() -> None:
    sent = signed('{"a": 1}', " s3cret ")
    expected = hmac.new(b"s3cret", f'{sent["X-Webhook-Timestamp"]}.{{"a": 1}}'.encode(), hashlib.sha256).hexdigest()
    assert sent["X-Webhook-Signature"] == f"sha256={expected}"
    assert sent["Authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("secret", ["s3cret", "line\nbreak", "wörter"])
def test_the_secret_itself_never_travels_in_the_clear(secret: str) -> None:
    assert not any(secret in value for value in signed("{}", secret, encrypted=False).values())


@pytest.mark.parametrize("secret", ["line\nbreak", "wörter"])
def test_a_secret_that_is_no_header_is_not_sent(secret: str) -> None:
    assert "Authorization" not in signed("{}", secret)


@pytest.mark.parametrize("secret", [None, "", "  "])
def test_without_a_secret_nothing_is_signed(secret: str | None) -> None:
    assert signed("{}", secret) == {"webhook-id": "evt_1", "webhook-timestamp": str(int(NOW.timestamp()))}
