"""What is known of each meeting that failed, as one bundle; and when a bot reached each of its stages.

A row is made by the statement that fails the meeting, with the last heartbeat, whose own row that statement deletes.
The bundle follows as soon as Kubernetes was asked. A table of its own: most meetings have none, and it is deleted
earlier than the history.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

_UPGRADE = """
ALTER TABLE usher.bots ADD COLUMN stages jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN usher.bots.stages IS 'The last stages with their times, the oldest first';

CREATE TABLE usher.evidence (
    meeting_id     integer PRIMARY KEY,
    failed_at      timestamptz NOT NULL,
    heartbeat_at   timestamptz,
    heartbeat_seq  bigint,
    try_after      timestamptz,
    collected_at   timestamptz,
    bundle         jsonb
);
CREATE INDEX evidence_due ON usher.evidence (failed_at) WHERE collected_at IS NULL;
CREATE INDEX evidence_failed_at ON usher.evidence (failed_at);
COMMENT ON TABLE usher.evidence IS 'What is known of each meeting that failed; without a bundle until it is collected';
"""

_DOWNGRADE = """
DROP TABLE usher.evidence;
ALTER TABLE usher.bots DROP COLUMN stages;
"""


def upgrade() -> None:
    """Create the table and the column."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop them."""
    op.execute(_DOWNGRADE)
