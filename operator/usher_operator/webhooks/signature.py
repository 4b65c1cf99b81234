"""Signatures of deliveries: Standard Webhooks, and in addition the headers of Vexa.

Vexa also sends the secret itself as a bearer token. Receivers that check it keep working, over https only.

A secret is `whsec_` and base64, as the standard defines it, or any other string, as in Vexa, whose UTF-8 bytes are the
key.
"""

import base64
import binascii
import hashlib
import hmac
from contextlib import suppress
from datetime import datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"


def headers(*, event_id: str, body: str, secret: str | None, at: datetime, encrypted: bool) -> dict[str, str]:
    """The headers of one attempt at the moment `at`; unsigned without a secret."""
    timestamp = str(int(at.timestamp()))
    unsigned = {"webhook-id": event_id, "webhook-timestamp": timestamp}
    plain = (secret or "").strip()
    if not plain:
        return unsigned
    bearer = {"Authorization": f"Bearer {plain}"} if encrypted and plain.isascii() and plain.isprintable() else {}
    return (
        unsigned
        | bearer
        | {
            "webhook-signature": Webhook(key_of(plain)).sign(event_id, at, body),
            "X-Webhook-Timestamp": timestamp,
            "X-Webhook-Signature": _vexa(plain, f"{timestamp}.{body}"),
        }
    )


def key_of(secret: str) -> bytes:
    """The bytes to sign with."""
    if secret.startswith(PREFIX):
        encoded = secret.removeprefix(PREFIX).rstrip("=")
        with suppress(binascii.Error):
            return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True) or secret.encode()
    return secret.encode()


def _vexa(secret: str, content: str) -> str:
    return f"sha256={hmac.new(secret.encode(), content.encode(), hashlib.sha256).hexdigest()}"
