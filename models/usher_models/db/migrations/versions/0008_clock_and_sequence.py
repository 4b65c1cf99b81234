"""Outages survive a clock that stepped back, and ids come from whatever sequence `meetings.id` uses.

A row from the future, as it is left behind when the clock steps back, counts as of now: it neither hides an outage nor
gives credit for time that has not passed. The tolerance is stated once, for the view and for the code.

`pg_get_serial_sequence` knows only a sequence that its column owns, which a partial restore or logical replication
does not keep; the column's default names it in any case.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

_UPGRADE = """
CREATE FUNCTION usher.outage_tolerance() RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT interval '6 seconds' $$;

CREATE OR REPLACE VIEW usher.blackouts AS
    SELECT began_at, ended_at FROM usher.outages
    UNION ALL
    SELECT max(least(served_until, now())), now() FROM usher.replicas
    HAVING max(least(served_until, now())) < now() - usher.outage_tolerance();

CREATE OR REPLACE FUNCTION usher.credit(since timestamptz) RETURNS interval LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(greatest(least(ended_at, now()) - greatest(began_at, since), interval '0')), interval '0')
    FROM usher.blackouts WHERE ended_at > since
$$;

CREATE FUNCTION usher.meeting_id_sequence() RETURNS regclass LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        CAST(pg_get_serial_sequence('public.meetings', 'id') AS regclass),
        (SELECT CAST(sequence.oid AS regclass)
         FROM pg_attribute a
         JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         JOIN pg_depend used ON used.classid = CAST('pg_attrdef' AS regclass) AND used.objid = d.oid
                            AND used.refclassid = CAST('pg_class' AS regclass)
         JOIN pg_class sequence ON sequence.oid = used.refobjid AND sequence.relkind = 'S'
         WHERE a.attrelid = to_regclass('public.meetings') AND a.attname = 'id'
         LIMIT 1))
$$;
"""

_DOWNGRADE = """
DROP FUNCTION usher.meeting_id_sequence;
CREATE OR REPLACE VIEW usher.blackouts AS
    SELECT began_at, ended_at FROM usher.outages
    UNION ALL
    SELECT max(served_until), now() FROM usher.replicas HAVING max(served_until) < now() - interval '6 seconds';
CREATE OR REPLACE FUNCTION usher.credit(since timestamptz) RETURNS interval LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(ended_at - greatest(began_at, since)), interval '0')
    FROM usher.blackouts WHERE ended_at > since
$$;
DROP FUNCTION usher.outage_tolerance;
"""


def upgrade() -> None:
    """Replace the view and the function of outages; create the function of the sequence."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Take the old ones back."""
    op.execute(_DOWNGRADE)
