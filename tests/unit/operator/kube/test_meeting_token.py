"""The key of one meeting, as Vexa's services check it."""

from typing import Any

import jwt
import pytest
from pydantic import ValidationError

from tests.fakes.bots import RESERVED_AT, a_bot_row
from tests.fakes.settings import some_settings
from tests.unit.operator.kube.test_job import built, env_of

SECRET = "an-admin-token-of-32-characters-x"


def minted(**settings: Any) -> str:
    return env_of(built(meeting_token_secret=SECRET, **settings))["BOT_TOKEN"]


def claims(token: str, *, issuer: str = "meeting-api") -> dict[str, Any]:
    """What the collectors of 0.9 and 0.10.7 require: signature, time, audience, issuer."""
    options: Any = {"verify_exp": False, "verify_iat": False}
    return jwt.decode(
        token, SECRET, algorithms=["HS256"], audience="transcription-collector", issuer=issuer, options=options
    )


def test_a_bot_gets_a_key_for_its_own_meeting() -> None:
    found = claims(minted())
    assert (found["meeting_id"], found["user_id"]) == (1, 7)
    assert (found["platform"], found["native_meeting_id"]) == ("zoom", "85123456789")
    assert found["scope"] == "transcribe:write"
    assert jwt.get_unverified_header(minted()) == {"alg": "HS256", "typ": "JWT"}


def test_it_expires_with_the_bot() -> None:
    job = built(meeting_token_secret=SECRET)
    lifetime_s = claims(env_of(job)["BOT_TOKEN"])["exp"] - RESERVED_AT.timestamp()
    assert lifetime_s == job["spec"]["activeDeadlineSeconds"]


def test_vexa_0_9_expects_another_issuer() -> None:
    token = minted(meeting_token_issuer="bot-manager")
    assert claims(token, issuer="bot-manager")["meeting_id"] == 1


def test_a_job_that_is_built_again_has_the_same_key() -> None:
    assert minted() == minted()
    another = built(a_bot_row(connection_id="connection-2"), meeting_token_secret=SECRET)
    assert env_of(another)["BOT_TOKEN"] != minted()


def test_without_a_secret_no_key_is_made() -> None:
    assert "BOT_TOKEN" not in env_of(built())


def test_a_secret_that_a_bot_could_guess_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 32 characters"):
        some_settings(meeting_token_secret="x" * 31)
