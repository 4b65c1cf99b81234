"""Every platform, every state and every trap that the stand-ins can play, and what the bot must make of each.

The stand-ins' texts are in dev/conference/web/standins, the driver's in its own data files: neither reads the other.
"""

import random
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One visit. `expected` is a reason, or "inside"."""

    platform: str
    state: str
    expected: str
    traps: tuple[str, ...] = ()
    scenario: dict[str, Any] = field(default_factory=dict)
    passcode: str | None = None

    def __str__(self) -> str:
        return "-".join([self.platform, self.state, *self.traps])

    @property
    def limits(self) -> dict[str, float]:
        """Long enough for a machine that has much to do, except where the limit is what the case is about."""
        return {
            "join_s": 8 if self.expected == "unknown_page" else 40,
            "lobby_s": 4 if self.state in ("never_admitted", "not_started") else 40,
            "alone_s": 0,
            "nobody_came_s": 0,
        }

    def url(self) -> str:
        """A meeting of the case's own."""
        letters = random.SystemRandom()
        digits = "".join(letters.choices("123456789", k=11))
        if self.platform == "google_meet":
            a, b, c = ("".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=k)) for k in (3, 4, 3))
            return f"https://meet.google.com/{a}-{b}-{c}"
        if self.platform == "teams":
            return f"https://teams.live.com/meet/{digits}9?p=secret"
        return f"https://zoom.us/j/{digits}"


def _steps(*steps: str | float) -> dict[str, Any]:
    return {"steps": list(steps)}


# How each state is reached, and what it is called.
STATES: dict[str, tuple[dict[str, Any], str]] = {
    "admitted": (_steps("lobby", 1.2, "inside"), "inside"),
    "no_lobby": (_steps("inside"), "inside"),
    "denied": (_steps("lobby", 1.2, "denied"), "admission_denied"),
    "never_admitted": (_steps("lobby"), "admission_timeout"),
    "lobby_timeout": (_steps("lobby", 1.2, "lobby_timeout"), "admission_timeout"),
    "blocked": (_steps("blocked"), "blocked_by_platform"),
    "blocked_at_once": ({"start": "blocked"}, "blocked_by_platform"),
    "captcha": (_steps("captcha"), "captcha_shown"),
    "invisible_captcha": ({"start": "invisible_captcha", "steps": ["inside"]}, "inside"),
    "not_found": ({"start": "not_found"}, "meeting_not_found"),
    "not_started": ({"start": "not_started"}, "meeting_not_started"),
    "full_or_locked": (_steps("full_or_locked"), "meeting_full_or_locked"),
    "sign_in": ({"start": "sign_in"}, "sign_in_needed"),
    "redirect": ({"redirect": "https://login.microsoftonline.com/common/oauth2?meeting=secret"}, "sign_in_needed"),
    "launcher": ({"start": "launcher", "steps": ["lobby", 1.2, "inside"]}, "inside"),
    "passcode_wrong": ({"passcode": "right"}, "passcode_wrong"),
    "unknown": ({"start": "unknown"}, "unknown_page"),
    "ended_before": (_steps("lobby", 1.2, "ended"), "meeting_ended"),
    "removed": (_steps("lobby", 1.2, "inside", 5, "removed"), "evicted_from_meeting"),
    "ended": (_steps("lobby", 1.2, "inside", 5, "ended"), "meeting_ended"),
}
PLATFORMS = {
    "google_meet": set(STATES) - {"full_or_locked", "launcher", "passcode_wrong", "redirect"},
    "teams": set(STATES) - {"invisible_captcha", "lobby_timeout", "full_or_locked", "passcode_wrong"},
    "zoom": set(STATES) - {"invisible_captcha", "lobby_timeout", "not_found", "redirect"},
}
# A trap is laid for the states that it could turn into something else.
TRAPS = {
    "lobby_buttons": {"admitted", "denied", "never_admitted"},
    "stale_lobby_text": {"admitted", "denied", "removed"},
    "hidden_duplicates": {"admitted", "denied", "no_lobby"},
    "modal_after_click": {"admitted", "denied", "never_admitted"},
    "effects_tile": {"never_admitted", "denied"},
    "toast": {"removed", "ended", "admitted", "never_admitted"},
    "audio_before_admission": {"never_admitted", "denied"},
    "slow_paint": {"admitted", "blocked"},
    "iframe": {"admitted", "denied", "removed"},
    "shadow": {"admitted", "denied", "removed"},
}
GUEST_LANGUAGE = "other_language"


def all_cases() -> list[Case]:
    """Each state without a trap, and with each that belongs to it."""
    cases = [
        _case(platform, state, *traps)
        for platform, states in PLATFORMS.items()
        for state in sorted(states)
        for traps in [(), *((trap,) for trap, laid in TRAPS.items() if state in laid)]
    ]
    # Meet's button is known by its words only: in another language the bot says that it does not know the page.
    meet = Case("google_meet", "admitted", "unknown_page", (GUEST_LANGUAGE,), _steps("inside"))
    others = [_case(platform, "admitted", GUEST_LANGUAGE) for platform in ("teams", "zoom")]
    return [*cases, meet, *others]


def _case(platform: str, state: str, *traps: str) -> Case:
    scenario, expected = STATES[state]
    passcode = "wrong" if state == "passcode_wrong" else None
    return Case(platform, state, expected, traps, scenario, passcode)
