"""The signature of the checksums: Ed25519, made with a key of the maintainers and checked with its public half.

    openssl genpkey -algorithm ed25519 -out release.key
    openssl pkeyutl -verify -pubin -inkey usher-release.pub -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig

The private key comes from USHER_SIGNING_KEY, as the path of a PEM file or as its text, and its password, if it has one,
from USHER_SIGNING_KEY_PASSWORD. Without it a key pair is made and thrown away, which is good for a rehearsal only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from dev.machine.errors import DevError

KEY = "USHER_SIGNING_KEY"
PASSWORD = "USHER_SIGNING_KEY_PASSWORD"
SIGNATURE = "SHA256SUMS.sig"
PUBLIC_KEY = "usher-release.pub"


@dataclass(frozen=True, kw_only=True)
class Signer:
    """A private key. `throwaway` is True if it was made for this one release."""

    key: Ed25519PrivateKey
    throwaway: bool

    def sign(self, sums: Path) -> None:
        """Write the signature and the public key beside the checksums."""
        sums.with_name(SIGNATURE).write_bytes(self.key.sign(sums.read_bytes()))
        sums.with_name(PUBLIC_KEY).write_bytes(self.public_key)

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def signer(environment: Mapping[str, str]) -> Signer:
    """The maintainers' key, or a new one. Raises DevError when what is given is no Ed25519 key."""
    given = environment.get(KEY)
    if not given:
        return Signer(key=Ed25519PrivateKey.generate(), throwaway=True)
    password = environment.get(PASSWORD)
    try:
        pem = given.encode() if given.startswith("-----BEGIN") else Path(given).read_bytes()
        key = serialization.load_pem_private_key(pem, password.encode() if password else None)
    except (OSError, ValueError, TypeError) as error:
        raise DevError(f"{KEY} cannot be read: {error}. Give a PEM file or its text, and {PASSWORD}.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise DevError(f"{KEY} is no Ed25519 key; make one with `openssl genpkey -algorithm ed25519`.")
    return Signer(key=key, throwaway=False)


def verify(sums: Path, *, public_key: Path) -> None:
    """Raises DevError if the signature beside the checksums is not the key's."""
    key = serialization.load_pem_public_key(public_key.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise DevError(f"{public_key} is no Ed25519 key.")
    try:
        key.verify(sums.with_name(SIGNATURE).read_bytes(), sums.read_bytes())
    except InvalidSignature as error:
        raise DevError(f"{sums.with_name(SIGNATURE)} is not the signature of {sums.name} by {public_key}.") from error
