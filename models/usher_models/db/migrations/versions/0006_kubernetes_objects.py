"""What is still to be done about a bot's objects in Kubernetes: statuses that failed, and objects to delete.

`write_after` puts off the next write of a status that failed. `erase_requested_at` says that the owner of the meeting
wants everything private gone; `objects_deleted_at` says that its BotRequest and Job were deleted.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

_UPGRADE = """
ALTER TABLE usher.bots
    ADD COLUMN write_failures integer NOT NULL DEFAULT 0,
    ADD COLUMN write_after timestamptz,
    ADD COLUMN erase_requested_at timestamptz,
    ADD COLUMN objects_deleted_at timestamptz,
    ADD COLUMN delete_after timestamptz;
CREATE INDEX bots_to_delete ON usher.bots (ended_at)
    WHERE objects_deleted_at IS NULL AND ended_at IS NOT NULL
      AND (erase_requested_at IS NOT NULL OR request_ttl_s IS NOT NULL);
"""


def upgrade() -> None:
    """Add the columns and the index of what is due."""
    op.execute("ALTER TABLE usher.bots ADD COLUMN request_ttl_s integer")
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP INDEX usher.bots_to_delete")
    for column in (
        "write_failures",
        "write_after",
        "erase_requested_at",
        "objects_deleted_at",
        "delete_after",
        "request_ttl_s",
    ):
        op.execute(f"ALTER TABLE usher.bots DROP COLUMN {column}")
