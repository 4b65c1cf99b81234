"""Private hosts: refused, except those that the installation allows by globs whose `*` stays within one label."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher_models.errors import InvalidMeeting
from usher_models.platforms import resolve
from usher_models.platforms.hosts import is_allowed

ALLOWED = ("jitsi.corp", "*.meet.internal", "conference.usher.svc", "10.0.0.?", "jitsi")


@pytest.mark.parametrize(
    "host",
    ["jitsi.corp", "eu.meet.internal", "conference.usher.svc", "10.0.0.7", "jitsi", "JITSI.corp", "jitsi.corp.:8443"],
)
def test_an_allowed_private_host_is_a_jitsi_server(host: str) -> None:
    by_link = resolve(platform="jitsi", url=f"https://{host}/Standup", allowed_private_hosts=ALLOWED)
    by_id = resolve(platform="jitsi", native_id=f"standup@{host}", allowed_private_hosts=ALLOWED)
    assert by_link.native_id == by_id.native_id == f"standup@{host.lower().replace('.:', ':')}"
    assert resolve(platform="jitsi", url=by_id.url, allowed_private_hosts=ALLOWED) == by_id


@pytest.mark.parametrize(
    "host",
    ["evil.jitsi.corp", "a.b.meet.internal", "meet.internal", "jitsi.corp.local", "10.0.0.12", "jitsix", "xjitsi.corp"],
)
def test_a_glob_allows_nothing_beside_it(host: str) -> None:
    with pytest.raises(InvalidMeeting, match="public host"):
        resolve(platform="jitsi", url=f"https://{host}/standup", allowed_private_hosts=ALLOWED)


@pytest.mark.parametrize(
    "host", ["meet.example.org", "jitsi.uni.example", "meet.svc.example.org", "local.example.org", "a-b.c1.example.dev"]
)
def test_a_public_name_is_a_jitsi_server_without_a_setting(host: str) -> None:
    assert resolve(platform="jitsi", url=f"https://{host}/standup").native_id == f"standup@{host}"


@pytest.mark.parametrize("allowed", ["*", "*.*", "*.*.*"])
def test_a_wide_glob_allows_no_address_in_a_notation_that_only_browsers_know(allowed: str) -> None:
    with pytest.raises(InvalidMeeting, match="must name a public host"):
        resolve(platform="jitsi", url="https://[::1]/standup", allowed_private_hosts=(allowed,))


@given(label=st.from_regex(r"[a-z0-9.]{1,20}", fullmatch=True))
def test_a_star_stays_within_one_label(label: str) -> None:
    assert is_allowed(f"{label}.corp", ("*.corp",)) == ("." not in label)


def test_what_is_refused_names_the_setting_that_allows_it() -> None:
    with pytest.raises(InvalidMeeting, match="adds it to USHER_ALLOWED_PRIVATE_MEETING_HOSTS"):
        resolve(platform="jitsi", native_id="standup@jitsi.corp")
