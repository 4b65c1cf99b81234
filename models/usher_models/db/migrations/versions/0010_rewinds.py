"""When the database went back in time, and until when the bots that it had lost were adopted.

While a row is open, the REST API reserves nothing: a user's lost bot may be in the same meeting.

Some services refuse what tells one server from another; then it is not known. The timeline is the one that is being
written: `pg_control_checkpoint()` tells of the last checkpoint, which may be of the server before a promotion.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

_UPGRADE = """
CREATE TABLE usher.rewinds (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    noticed_at   timestamptz NOT NULL DEFAULT now(),
    evidence     text[] NOT NULL,
    adopted_at   timestamptz
);
CREATE UNIQUE INDEX rewinds_open ON usher.rewinds ((true)) WHERE adopted_at IS NULL;
COMMENT ON TABLE usher.rewinds IS 'Each time the database was seen to have gone back; open until its bots are adopted';

CREATE FUNCTION usher.system_identifier() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT CAST(system_identifier AS text) FROM pg_catalog.pg_control_system());
EXCEPTION WHEN OTHERS THEN RETURN NULL;
END $$;

CREATE FUNCTION usher.timeline() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CAST(CAST('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8) AS bit(32)) AS bigint);
EXCEPTION WHEN OTHERS THEN RETURN NULL;
END $$;
"""


def upgrade() -> None:
    """Create the table and the functions."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP FUNCTION usher.timeline; DROP FUNCTION usher.system_identifier; DROP TABLE usher.rewinds")
