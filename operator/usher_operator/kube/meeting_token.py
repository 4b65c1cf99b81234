"""The key of one meeting for Vexa's own services: their MeetingToken, minted here (USHER_MEETING_TOKEN_SECRET).

A bot of Vexa hands it to the collector of transcripts and to the receiver of recordings, which check it by the secret
that they share with whoever minted it. It says one meeting of one user and expires with the bot. The user's own key,
which opens everything of that user, never reaches a bot.
"""

from datetime import timedelta
from typing import Literal

import jwt

from usher_models.db.bots import Bot

Issuer = Literal["meeting-api", "bot-manager"]

AUDIENCE = "transcription-collector"
SCOPE = "transcribe:write"


def mint(bot: Bot, *, secret: str, issuer: Issuer, lifetime_s: int) -> str:
    """The token, which is the same each time: a Job that is built again is the same Job."""
    claims = {
        "meeting_id": bot.meeting_id,
        "user_id": bot.user_id,
        "platform": bot.platform,
        "native_meeting_id": bot.native_id,
        "scope": SCOPE,
        "iss": issuer,
        "aud": AUDIENCE,
        "iat": bot.reserved_at,
        "exp": bot.reserved_at + timedelta(seconds=lifetime_s),
        "jti": bot.connection_id,
    }
    return jwt.encode(claims, secret, algorithm="HS256")
