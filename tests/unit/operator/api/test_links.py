"""Links as they are shown: nothing in them admits a guest."""

import pytest

from usher_operator.api.links import without_secrets


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
    ],
)
def test_a_link_is_shown_without_its_secrets(link: str, shown: str | None) -> None:
    assert without_secrets(link) == (shown or link)
