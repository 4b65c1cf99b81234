"""From what a request says about its meeting to the meeting."""

import hashlib
from collections.abc import Sequence

from usher_models.errors import InvalidMeeting
from usher_models.platforms import google_meet, jitsi, teams, zoom
from usher_models.platforms.hosts import check_host
from usher_models.platforms.link import Link, is_typed
from usher_models.platforms.model import URL_FIELD, Found, MeetingRef, Platform, Rules, no_meeting
from usher_models.platforms.pasted import check_length, read_link, visible

# A new platform is one file and one line here.
RULES: dict[Platform, Rules] = {one.platform: one for one in (google_meet.RULES, teams.RULES, zoom.RULES, jitsi.RULES)}


def resolve(
    *,
    platform: str | None = None,
    native_id: str | None = None,
    url: str | None = None,
    passcode: str | None = None,
    allowed_private_hosts: Sequence[str] = (),
) -> MeetingRef:
    """The meeting that a request names: by `platform` and `native_id`, by `url`, or by both when they agree.

    Of a link, the bot gets the link, with a passcode that was given beside it put in. Hosts of private networks are
    refused except `allowed_private_hosts`. Raises InvalidMeeting, whose `field` is the field of the request to correct.
    """
    check_passcode(passcode)
    if url:
        ref = _from_url(url, platform=platform, passcode=passcode, allowed=allowed_private_hosts)
        return _agree(ref, platform=platform, native_id=native_id, url=url)
    if not platform:
        raise InvalidMeeting("Name the meeting by platform and nativeMeetingId, or by meetingUrl.", field="platform")
    return _from_id(RULES[parse_platform(platform)], native_id or "", passcode=passcode, allowed=allowed_private_hosts)


def check_passcode(passcode: str | None) -> None:
    """Raise InvalidMeeting when nobody could have typed that passcode."""
    if passcode is not None and not is_typed(passcode):
        raise InvalidMeeting("passcode has control characters.", field="passcode")


def parse_platform(platform: str) -> Platform:
    """The platform of that name. Raises InvalidMeeting that lists the known ones."""
    try:
        return Platform(platform)
    except ValueError as exc:
        known = ", ".join(Platform)
        raise InvalidMeeting(f"Unknown platform {platform!r}; known are {known}.", field="platform") from exc


def check_native_id(platform: Platform, native_id: str) -> None:
    """Raise InvalidMeeting unless `native_id` has the platform's shape."""
    rules = RULES[platform]
    if not rules.pattern.fullmatch(native_id):
        raise InvalidMeeting(f"{native_id!r} is not a {platform} meeting id; one looks like {rules.example}.")


def canonical_id(platform: Platform, native_id: str) -> str:
    """The one spelling of an id as people type it. Raises InvalidMeeting when it cannot be one."""
    typed = visible(native_id)
    if not is_typed(typed):
        raise InvalidMeeting("nativeMeetingId has control characters.")
    spelling = RULES[platform].canonical(typed)
    check_native_id(platform, spelling)
    return spelling


def spellings(platform: Platform, native_id: str) -> tuple[str, ...]:
    """What a stored meeting that is asked for by `native_id` may be called: that, and its canonical spelling.

    Rows that Vexa wrote keep the spelling they were asked for with.
    """
    try:
        return tuple(dict.fromkeys((native_id, canonical_id(platform, native_id))))
    except InvalidMeeting:
        return (native_id,)


def _from_id(rules: Rules, text: str, *, passcode: str | None, allowed: Sequence[str]) -> MeetingRef:
    if not text:
        raise InvalidMeeting(f"nativeMeetingId is missing; for {rules.platform} it looks like {rules.example}.")
    native_id = canonical_id(rules.platform, text)
    host = rules.host(native_id)
    if host is not None:
        check_host(host, allowed=allowed, field="nativeMeetingId")
    url = rules.url(native_id, passcode)
    if url is None:
        raise InvalidMeeting("A Teams meeting known by its 16-digit hash needs its meetingUrl.", field=URL_FIELD)
    check_length(url)
    return MeetingRef(platform=rules.platform, native_id=native_id, url=url, passcode=passcode or None)


def _from_url(url: str, *, platform: str | None, passcode: str | None, allowed: Sequence[str]) -> MeetingRef:
    link = read_link(url, allowed_private_hosts=allowed)
    rules, found = _parsed(link, platform=platform)
    if link.port is not None and rules.platform is not Platform.JITSI:
        raise no_meeting("meetingUrl must carry no port.")
    if found.passcode and not is_typed(found.passcode):
        raise no_meeting("meetingUrl: its passcode has control characters.")
    into = found.passcode_link
    if passcode and passcode != found.passcode and into and rules.passcode_parameter:
        found = Found(native_id=found.native_id, link=into.with_parameter(rules.passcode_parameter, passcode))
    check_length(found.link.url)
    return MeetingRef(
        platform=rules.platform,
        native_id=found.native_id,
        url=found.link.url,
        passcode=passcode or found.passcode,
    )


def _parsed(link: Link, *, platform: str | None) -> tuple[Rules, Found]:
    for rules in RULES.values():
        # The name of a room may end with anything.
        found = rules.parse(link if rules.platform is Platform.JITSI else link.without_encoded_end())
        if found is not None:
            return rules, found
    if platform == Platform.JITSI:
        return RULES[Platform.JITSI], jitsi.parse_any(link)
    raise no_meeting(
        "meetingUrl is no Google Meet, Teams, Zoom or Jitsi link; for a Jitsi host of your own set platform to jitsi."
    )


def _agree(ref: MeetingRef, *, platform: str | None, native_id: str | None, url: str) -> MeetingRef:
    if platform and parse_platform(platform) is not ref.platform:
        raise InvalidMeeting(f"meetingUrl is a {ref.platform} link, but platform says {platform}.", field="platform")
    if native_id and not _names(ref, native_id, url=url):
        raise InvalidMeeting(f"meetingUrl is meeting {ref.native_id!r}, but nativeMeetingId says {native_id!r}.")
    return ref


def _names(ref: MeetingRef, native_id: str, *, url: str) -> bool:
    """True if that id names the meeting, with or without its host, or is Vexa's hash of its link."""
    known = {ref.native_id, ref.native_id.rpartition("@")[0], hashlib.sha256(url.strip().encode()).hexdigest()[:16]}
    return not known.isdisjoint(spellings(ref.platform, native_id))
