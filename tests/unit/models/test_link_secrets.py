"""Links as they are shown: nothing in them admits a guest."""

import pytest

from usher_models.platforms.secrets import secret_values, without_secrets


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://zoom.us/j/85123456789?pwd=s3cret", "https://zoom.us/j/85123456789"),
        ("https://zoom.us/w/85123456789?tk=abc&uuid=1&zak=x", "https://zoom.us/w/85123456789?uuid=1"),
        ("https://teams.live.com/meet/9361234567890?p=abcDEF123", "https://teams.live.com/meet/9361234567890"),
        (
            "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=%7b%22Tid%22%3a%221%22%7d",
            "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=%7b%22Tid%22%3a%221%22%7d",
        ),
        ("https://meet.jit.si/Standup?jwt=eyJ", "https://meet.jit.si/Standup"),
        ("https://meet.jit.si/Standup#jwt=eyJ&config.x=1", "https://meet.jit.si/Standup"),
        ("https://meet.jit.si/Standup#config.startWithAudioMuted=true", None),
        ("https://user:word@meet.example.org/a", "https://meet.example.org/a"),
        ("https://[broken/a?pwd=x", "https://[broken/a"),
        ("https://meet.google.com/abc-defg-hij", None),
        ("HTTPS://zoom.us/j/1?PWD=x", "https://zoom.us/j/1"),
        (
            "https://app.zoom.us/wc/85123456789/join?fromPWA=1&wpk=abcd",
            "https://app.zoom.us/wc/85123456789/join?fromPWA=1",
        ),
        (
            "https://teams.microsoft.com/dl/launcher/launcher.html?url=%2F_%23%2Fmeet%2F1%3Fp%3DabcDEF&type=meet",
            "https://teams.microsoft.com/dl/launcher/launcher.html?type=meet",
        ),
        ("https://meet.jit.si/Standup#config.x=1&jwt=eyJ", "https://meet.jit.si/Standup"),
    ],
)
def test_a_link_is_shown_without_its_secrets(link: str, shown: str | None) -> None:
    assert without_secrets(link) == (shown or link)


@pytest.mark.parametrize(
    ("link", "values"),
    [
        ("https://zoom.us/w/85123456789?tk=first&pwd=second&uuid=1", ["first", "second"]),
        ("https://zoom.us/j/85123456789?pwd=a%2Bb", ["a%2Bb", "a+b"]),
        ("https://meet.jit.si/Standup?jwt=third#config.x=1", ["third"]),
        ("https://meet.jit.si/Standup#jwt=third", ["third"]),
        ("https://teams.microsoft.com/dl/launcher/launcher.html?url=%2Fmeet%2F1%3Fp%3DabcDEF", ["abcDEF"]),
        ("https://meet.google.com/abc-defg-hij?authuser=0", []),
    ],
)
def test_the_secrets_of_a_link_are_known_one_by_one(link: str, values: list[str]) -> None:
    assert secret_values(link) == values
    assert not any(value in without_secrets(link) for value in values)
