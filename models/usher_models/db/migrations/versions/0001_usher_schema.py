"""The schema `usher`: bots, heartbeats, transitions and replicas beside the tables of Vexa.

No foreign key points at a table of Vexa's: it would put triggers on it. `bots` has one row per meeting Usher owns;
`heartbeats` has one row per live meeting and loses it in the transaction that makes the meeting terminal, so that a
heartbeat and a sweep always meet on that row's lock.
"""

from alembic import op

revision = "0001"
down_revision = None

_UPGRADE = """
CREATE TABLE usher.bots (
    meeting_id          integer PRIMARY KEY,
    connection_id       varchar(255) NOT NULL CONSTRAINT bots_connection_id_key UNIQUE,
    user_id             integer NOT NULL,
    request_namespace   varchar(63),
    request_name        varchar(253),
    request_uid         varchar(36),
    request_generation  bigint NOT NULL DEFAULT 0,
    spec                jsonb NOT NULL DEFAULT '{}',
    job_name            varchar(63) NOT NULL,
    job_created_at      timestamptz,
    pod_uid             varchar(36),
    desired             varchar(8) NOT NULL DEFAULT 'run' CHECK (desired IN ('run', 'leave')),
    leave_requested_at  timestamptz,
    leave_reason        varchar(64),
    config              jsonb NOT NULL DEFAULT '{}',
    config_generation   integer NOT NULL DEFAULT 0,
    applied_generation  integer NOT NULL DEFAULT 0,
    stage               varchar(16),
    participants        integer,
    lobby_timeout_s     integer NOT NULL,
    max_duration_s      integer NOT NULL,
    reserved_at         timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    joined_at           timestamptz,
    ended_at            timestamptz,
    status_changed_at   timestamptz NOT NULL DEFAULT now(),
    reason              varchar(64) NOT NULL,
    message             text NOT NULL,
    transition_seq      integer NOT NULL DEFAULT 1,
    revision            bigint NOT NULL DEFAULT 1,
    mirrored_revision   bigint NOT NULL DEFAULT 0,
    mirrored_status     varchar(16)
);
CREATE INDEX bots_live ON usher.bots (meeting_id) WHERE ended_at IS NULL;
CREATE INDEX bots_unmirrored ON usher.bots (meeting_id) WHERE revision > mirrored_revision;
CREATE INDEX bots_request ON usher.bots (request_uid);
COMMENT ON TABLE usher.bots IS 'What Usher knows of each meeting it owns; the status itself is meetings.status';

CREATE TABLE usher.heartbeats (
    meeting_id  integer PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    seq         bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE usher.heartbeats IS 'The last sign of life of each live meeting; the row ends with the meeting';

CREATE TABLE usher.transitions (
    meeting_id  integer NOT NULL,
    seq         integer NOT NULL,
    from_status varchar(16),
    to_status   varchar(16) NOT NULL,
    source      varchar(16) NOT NULL,
    reason      varchar(64) NOT NULL,
    event_id    varchar(255),
    detail      jsonb NOT NULL DEFAULT '{}',
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (meeting_id, seq),
    CONSTRAINT transitions_event_id_key UNIQUE (meeting_id, event_id)
);
COMMENT ON TABLE usher.transitions IS 'Append-only: one row per change of status, written in its transaction';

CREATE TABLE usher.replicas (
    replica       varchar(253) PRIMARY KEY,
    served_until  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE usher.replicas IS 'Until when each serve replica could take callbacks: the ground of a credit';
"""

_DOWNGRADE = """
DROP TABLE usher.replicas;
DROP TABLE usher.transitions;
DROP TABLE usher.heartbeats;
DROP TABLE usher.bots;
"""


def upgrade() -> None:
    """Create Usher's four tables."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop them."""
    op.execute(_DOWNGRADE)
