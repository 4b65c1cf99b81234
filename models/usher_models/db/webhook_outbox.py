"""The webhook events of a transition, written in the transition's own statement: both are committed, or neither.

`OUTBOX` is one part of a WITH. It reads three parts before it:

    meeting  the row of meetings as it is now
    bot      meeting_id, connection_id, message
    noted    the row of usher.transitions

and writes nothing for a user without a webhook. No value that a user stored is cast, because a failing cast would break
the transition. An event id is derived from the transition and its time, so the same transition is never reported
twice, and one that a restored database makes anew never under the id of one that is lost.
"""

API_VERSION = "2026-03-01"

# Event, target status (None: any), and True if it is sent to a user who chose no events, as in Vexa.
EVENTS: tuple[tuple[str, str | None, bool], ...] = (
    ("meeting.status_change", None, False),
    ("meeting.started", "active", False),
    ("meeting.completed", "completed", True),
    ("bot.failed", "failed", False),
)


EVENT_NAMES = tuple(name for name, _, _ in EVENTS)


def _literal(value: str | bool | None) -> str:
    if isinstance(value, str):
        return f"'{value}'"
    return "NULL" if value is None else str(value).lower()


_KINDS = ", ".join(f"({', '.join(map(_literal, event))})" for event in EVENTS)

_ISO = """'YYYY-MM-DD"T"HH24\\:MI\\:SS.US"Z"'"""


def _utc(naive: str) -> str:
    return f"to_char({naive}, {_ISO})"


OUTBOX = f"""outbox AS (
    INSERT INTO usher.webhook_deliveries (event_id, event_type, meeting_id, user_id, state, payload)
    SELECT event.id, kind.name, meeting.id, meeting.user_id,
           CASE WHEN endpoint.paused_at IS NULL THEN 'pending' ELSE 'paused' END,
           jsonb_build_object(
               'event_id', event.id, 'event_type', kind.name, 'api_version', '{API_VERSION}',
               'created_at', {_utc("noted.at AT TIME ZONE 'utc'")},
               'data', jsonb_build_object(
                   'meeting', jsonb_build_object(
                       'id', meeting.id, 'user_id', meeting.user_id, 'connection_id', bot.connection_id,
                       'platform', meeting.platform, 'native_meeting_id', meeting.platform_specific_id,
                       'status', meeting.status, 'reason', noted.reason, 'message', bot.message, 'fault', noted.fault,
                       'start_time', {_utc("meeting.start_time")}, 'end_time', {_utc("meeting.end_time")},
                       'created_at', {_utc("meeting.created_at")}, 'updated_at', {_utc("meeting.updated_at")}),
                   'status_change', jsonb_build_object(
                       'sequence', noted.seq, 'from', noted.from_status, 'to', noted.to_status,
                       'old_status', noted.from_status, 'new_status', noted.to_status,
                       'reason', noted.reason, 'fault', noted.fault, 'transition_source', noted.source,
                       'timestamp', {_utc("noted.at AT TIME ZONE 'utc'")})))
    FROM noted
    JOIN meeting ON meeting.id = noted.meeting_id
    JOIN bot ON bot.meeting_id = noted.meeting_id
    JOIN users u ON u.id = meeting.user_id AND u.data ->> 'webhook_url' <> ''
    LEFT JOIN usher.webhook_endpoints endpoint ON endpoint.user_id = meeting.user_id
    JOIN (VALUES {_KINDS}) AS kind (name, target, usual) ON coalesce(kind.target, noted.to_status) = noted.to_status
    CROSS JOIN LATERAL (
        SELECT 'evt_' || left(encode(sha256(convert_to(concat_ws(
            '/', meeting.id, bot.connection_id, noted.seq, kind.name, extract(epoch FROM noted.at)
        ), 'UTF8')), 'hex'), 32) AS id
    ) AS event
    WHERE CASE
        WHEN jsonb_typeof(u.data -> 'webhook_events') = 'array' AND u.data -> 'webhook_events' <> '[]'
            THEN u.data -> 'webhook_events' ? kind.name
        ELSE coalesce(nullif(u.data -> 'webhook_events' -> kind.name, 'null'), to_jsonb(kind.usual)) = 'true'
    END
    ON CONFLICT (event_id) DO NOTHING
)"""
