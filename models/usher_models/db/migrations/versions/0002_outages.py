"""Usher's own outages, and the credit they give: silence in which no bot could have been heard is not counted.

`blackouts` adds the outage that is going on to those that are over. `credit(since)` is how much of the time since then
no replica could take a heartbeat.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_UPGRADE = """
CREATE TABLE usher.outages (
    began_at  timestamptz PRIMARY KEY,
    ended_at  timestamptz NOT NULL
);
CREATE INDEX outages_ended_at ON usher.outages (ended_at);
COMMENT ON TABLE usher.outages IS 'Spans in which no replica could take a callback, noted by the first that was back';

CREATE VIEW usher.blackouts AS
    SELECT began_at, ended_at FROM usher.outages
    UNION ALL
    SELECT max(served_until), now() FROM usher.replicas HAVING max(served_until) < now() - interval '6 seconds';

CREATE FUNCTION usher.credit(since timestamptz) RETURNS interval LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(ended_at - greatest(began_at, since)), interval '0')
    FROM usher.blackouts WHERE ended_at > since
$$;
"""

_DOWNGRADE = """
DROP FUNCTION usher.credit;
DROP VIEW usher.blackouts;
DROP TABLE usher.outages;
"""


def upgrade() -> None:
    """Create the table, the view and the function."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop them."""
    op.execute(_DOWNGRADE)
