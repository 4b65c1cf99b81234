"""Which ids and links name a meeting, per platform, and how one becomes the other.

One file per platform; `resolving` tries them in turn. Two links of one meeting have one id, and two meetings never
share one: an id holds all that tells meetings apart, in one spelling, short enough for a column and a path.
"""

from usher_models.platforms.jitsi import DEFAULT_HOST as DEFAULT_JITSI_HOST
from usher_models.platforms.model import MeetingRef, Platform, Rules
from usher_models.platforms.pasted import URL_MAX_LENGTH
from usher_models.platforms.resolving import (
    RULES,
    canonical_id,
    check_native_id,
    check_passcode,
    parse_platform,
    resolve,
    spellings,
)

__all__ = [
    "DEFAULT_JITSI_HOST",
    "RULES",
    "URL_MAX_LENGTH",
    "MeetingRef",
    "Platform",
    "Rules",
    "canonical_id",
    "check_native_id",
    "check_passcode",
    "parse_platform",
    "resolve",
    "spellings",
]
