"""The installation's identity: one UUID, made with the schema, which Jobs, pods and BotRequests carry."""

from alembic import op

revision = "0005"
down_revision = "0004"

_UPGRADE = """
CREATE TABLE usher.installation (
    id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    made_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX installation_is_one_row ON usher.installation ((true));
INSERT INTO usher.installation DEFAULT VALUES;
COMMENT ON TABLE usher.installation IS 'Which installation this database belongs to; one row, never changed';
"""


def upgrade() -> None:
    """Create the table and its row."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE usher.installation")
