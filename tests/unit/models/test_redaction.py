"""What people read of a bot's words holds no secret: neither a known one nor one that only looks like it."""

import json
import time

import pytest

from usher_models.redaction import Redactor, scrubbed, spellings

PLANTED = "s3cr3t-Val/ue+4711"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJib3QifQ.c2lnbmF0dXJl"

UNKNOWN = [
    f"GET https://zoom.us/j/85123456789?pwd={PLANTED.replace('/', '_')}&uname=bot",
    "redirect=https%3A%2F%2Fzoom.us%2Fj%2F851%3Fpwd%3Ds3cr3tVal4711%26x%3D1",
    "postgresql+psycopg://usher:s3cr3tVal4711@db:5432/usher refused",
    "redis://:s3cr3tVal4711@redis:6379/0",
    "Authorization: Bearer s3cr3tVal4711",
    "authorization: Token s3cr3tVal4711",
    '{"headers": "{\\"Authorization\\": \\"Basic czNjcjN0VmFsNDcxMQ==\\"}"}',
    "X-API-Key: s3cr3tVal4711",
    "Cookie: a=b; session=s3cr3tVal4711",
    '{"passcode": "s3cr3tVal4711"}',
    '{"passcode": "two words s3cr3tVal4711"}',
    "{'passcode': 's3cr3tVal4711'}",
    '{"line": "{\\"botPasscode\\": \\"s3cr3tVal4711 and more\\"}"}',
    "DB_PASSWORD=s3cr3tVal4711 started",
    "aws_secret_access_key = s3cr3tVal4711",
    "the passcode is s3cr3tVal4711.",
    f"token rejected: {JWT}",
    "-----BEGIN RSA PRIVATE KEY-----\ns3cr3tVal4711\n-----END RSA PRIVATE KEY-----\ndone",
    "-----BEGIN PRIVATE KEY-----\ns3cr3tVal4711\ncut off",
    f"key usher_{'s3cr3tVal4711' * 4} is not valid",
    "https://jitsi.example.org/room#jwt=s3cr3tVal4711&config.x=1",
]


@pytest.mark.parametrize("text", UNKNOWN)
def test_a_secret_that_nobody_knows_is_recognised_by_what_stands_before_it(text: str) -> None:
    clean = Redactor([]).scrub(text)
    assert "s3cr3t" not in clean
    assert "czNjcjN0" not in clean
    assert JWT not in clean


@pytest.mark.parametrize("written", sorted(spellings('pass "word" /4711')))
def test_a_known_secret_is_masked_however_it_is_written(written: str) -> None:
    assert Redactor(spellings('pass "word" /4711')).scrub(f"joined with {written} at once") == "joined with *** at once"


HARMLESS = [
    "Waiting for the host to let the bot in (lobby, 30 s).",
    "2026-01-01T12:00:00Z INFO joined https://zoom.us/j/85123456789 as Usher",
    "exit code 137: OOMKilled, the limit is 512Mi",
    "passcode required by the page",
    "USHER_HEARTBEAT_TIMEOUT_S=120, usher_status_write_delay_seconds_total 7",
    "Error: net::ERR_NAME_NOT_RESOLVED at https://meet.example.org/room?lang=de",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_explains_a_failure_stays_readable(text: str) -> None:
    assert Redactor([]).scrub(text) == text


def test_a_member_that_is_named_like_a_secret_is_masked_whatever_it_looks_like() -> None:
    value = {"detail": {"passcode": 471147, "words": ["pwd=s3cr3t", True, None, 7]}}
    assert scrubbed(value, Redactor([])) == {"detail": {"passcode": "***", "words": ["pwd=***", True, None, 7]}}


@pytest.mark.parametrize("piece", ["a.", "a-", "://", "-----BEGIN PRIVATE KEY-----", '\\"', "passcode ", "token=\\"])
def test_hostile_text_takes_no_longer_than_any_other(piece: str) -> None:
    text = piece * (65_536 // len(piece))
    began = time.process_time()
    Redactor([]).scrub(text)
    assert time.process_time() - began < 1.0


def test_json_stays_json_when_it_is_scrubbed_as_a_value() -> None:
    value = {"said": json.dumps({"token": "s3cr3t"})}
    assert json.loads(json.dumps(scrubbed(value, Redactor([]))))["said"] == '{"token": ***}'
