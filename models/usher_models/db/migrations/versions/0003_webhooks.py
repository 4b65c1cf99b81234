"""The outbox of webhooks, and the endpoints that are paused.

A delivery is written in the transaction of the transition it tells of. It holds neither URL nor secret: both are read
from the user when it is sent. No foreign key points at a table of Vexa's.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

_UPGRADE = """
CREATE TABLE usher.webhook_deliveries (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id         varchar(64) NOT NULL CONSTRAINT webhook_deliveries_event_id_key UNIQUE,
    event_type       varchar(64) NOT NULL,
    meeting_id       integer NOT NULL,
    user_id          integer NOT NULL,
    payload          jsonb NOT NULL,
    state            varchar(16) NOT NULL DEFAULT 'pending'
                     CHECK (state IN ('pending', 'delivered', 'failed', 'paused')),
    attempts         integer NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz NOT NULL DEFAULT now(),
    claimed_until    timestamptz,
    last_status      integer,
    last_error       text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    delivered_at     timestamptz
);
CREATE INDEX webhook_deliveries_due ON usher.webhook_deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_user ON usher.webhook_deliveries (user_id, id);
COMMENT ON TABLE usher.webhook_deliveries IS 'The outbox: one row per event, written in the transition''s transaction';

CREATE TABLE usher.webhook_endpoints (
    user_id    integer PRIMARY KEY,
    failures   integer NOT NULL DEFAULT 0,
    paused_at  timestamptz
);
COMMENT ON TABLE usher.webhook_endpoints IS 'Whose webhooks failed lately: how many in a row, and since when they rest';
"""

_DOWNGRADE = """
DROP TABLE usher.webhook_endpoints;
DROP TABLE usher.webhook_deliveries;
"""


def upgrade() -> None:
    """Create the outbox and the endpoints."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop them."""
    op.execute(_DOWNGRADE)
