"""The columns of the status writer carry its words: what was written on the BotRequest, and at which revision."""

from alembic import op

revision = "0004"
down_revision = "0003"

_RENAMES = (("mirrored_revision", "written_revision"), ("mirrored_status", "written_status"))


def upgrade() -> None:
    """Rename the columns and their index."""
    for old, new in _RENAMES:
        op.execute(f"ALTER TABLE usher.bots RENAME COLUMN {old} TO {new}")
    op.execute("ALTER INDEX usher.bots_unmirrored RENAME TO bots_unwritten")


def downgrade() -> None:
    """Take the old names back."""
    op.execute("ALTER INDEX usher.bots_unwritten RENAME TO bots_unmirrored")
    for old, new in _RENAMES:
        op.execute(f"ALTER TABLE usher.bots RENAME COLUMN {new} TO {old}")
