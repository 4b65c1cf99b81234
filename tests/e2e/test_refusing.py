"""Requests that get no slot: each says why, in a condition and an Event, and leaves neither row nor Job."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.kit import Bot, Cluster, User, eventually

NOBODY = 2_000_000_000


@dataclass(frozen=True, kw_only=True)
class Refused:
    """One of each kind; the user without a slot, and the bot whose meeting `duplicate` wants too."""

    idle: User
    first: Bot
    unknown_user: Bot
    unknown_email: Bot
    over_the_cap: Bot
    duplicate: Bot
    bad_id: Bot
    image: Bot


@pytest.fixture(scope="module")
def refused(cluster: Cluster, user: User) -> Iterator[Refused]:
    """All of them."""
    idle = cluster.a_user(cap=0)
    first = cluster.a_bot(user, called="first").apply().wait_for("Joined")
    wishes = {
        "unknown_user": cluster.a_bot(None, called="unknown-user").asking(userId=NOBODY),
        "unknown_email": cluster.a_bot(None, called="unknown-email").asking(userEmail="nobody@example.com"),
        "over_the_cap": cluster.a_bot(idle, called="over-the-cap"),
        "duplicate": cluster.a_bot(user, called="duplicate").asking(nativeMeetingId=first.native_id),
        "bad_id": cluster.a_bot(user, called="bad-id").asking(platform="google_meet", nativeMeetingId="no id!"),
        "image": cluster.a_bot(user, called="image").asking(image="docker.io/somebody/else:latest"),
    }
    bots = cluster.apply(list(wishes.values()))
    yield Refused(idle=idle, first=first, **dict(zip(wishes, bots, strict=True)))
    for bot in (first, *bots):
        bot.delete()


@pytest.mark.parametrize(
    ("kind", "reason", "words"),
    [
        ("unknown_user", "UnknownUser", str(NOBODY)),
        ("unknown_email", "UnknownUser", "nobody@example.com"),
        ("over_the_cap", "CapReached", "Maximum concurrent bots limit reached (0)"),
        ("duplicate", "DuplicateMeeting", "already has a live bot in this meeting"),
        ("bad_id", "InvalidMeeting", "abc-defg-hij"),
        ("image", "ImageNotAllowed", "docker.io/somebody/else:latest"),
    ],
)
def test_a_refusal_says_why_and_leaves_nothing_behind(refused: Refused, kind: str, reason: str, words: str) -> None:
    bot: Bot = getattr(refused, kind)
    ending = bot.refused()
    assert ending.reason == reason
    assert words in ending.message
    assert ending.message.endswith(".")
    accepted = bot.conditions()["Accepted"]
    assert (accepted["status"], accepted["reason"], accepted["message"]) == ("False", reason, ending.message)
    assert accepted["observedGeneration"] == 1
    events = eventually("its Event", bot.events)
    assert [(event["type"], event["reason"], event["message"]) for event in events] == [
        ("Warning", reason, ending.message)
    ]
    assert bot.row() == {}
    assert bot.jobs() == []


def test_a_refusal_is_final_also_for_the_sweeps(cluster: Cluster, refused: Refused) -> None:
    refused.over_the_cap.refused()
    # Room is made; the request was given up on, and another one has to be made.
    cluster.set_cap(refused.idle, 1)
    cluster.wait_for_sweeps(2)
    assert refused.over_the_cap.row() == {}
    assert refused.over_the_cap.status["phase"] == "refused"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"platform": "skype"}, "spec.platform"),
        ({"language": "Deutsch!"}, "spec.language"),
        ({"userEmail": "also@example.com"}, "exactly one of userId and userEmail"),
        ({"nativeMeetingId": None}, "name the meeting by platform and nativeMeetingId, or by meetingUrl"),
        ({"lobbyTimeoutSeconds": 0}, "spec.lobbyTimeoutSeconds"),
        ({"driver": "exec", "command": None}, "driver exec needs a command"),
    ],
)
def test_what_the_schema_can_decide_is_refused_at_apply_and_names_the_field(
    cluster: Cluster, user: User, spec: dict[str, object], words: str
) -> None:
    assert words in cluster.a_bot(user, called="wrong").asking(**spec).refusal()


@pytest.mark.parametrize(
    ("field", "value"),
    [("userId", 1), ("platform", "zoom"), ("nativeMeetingId", "another"), ("botName", "Another"), ("driver", "exec")],
)
def test_what_makes_a_request_what_it_is_cannot_be_edited(refused: Refused, field: str, value: object) -> None:
    said = refused.first.refusal_of_edit(**{field: value})
    assert f"{field} is immutable" in said
