"""Whose doing the end of a meeting was, beside its reason. Rows from before say nothing of it."""

from alembic import op

revision = "0009"
down_revision = "0008"

_UPGRADE = """
ALTER TABLE usher.bots ADD COLUMN fault varchar(16);
ALTER TABLE usher.transitions ADD COLUMN fault varchar(16);
COMMENT ON COLUMN usher.bots.fault IS
    'Whose doing the end was: none, user, host, platform, infrastructure, usher or bot; NULL while the bot is live';
"""

_DOWNGRADE = """
ALTER TABLE usher.transitions DROP COLUMN fault;
ALTER TABLE usher.bots DROP COLUMN fault;
"""


def upgrade() -> None:
    """Add the columns."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop them."""
    op.execute(_DOWNGRADE)
