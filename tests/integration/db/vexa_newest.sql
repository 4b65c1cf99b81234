-- The schema of the newest Vexa deployment, with a row of every status it writes.
CREATE TABLE users (
    id serial PRIMARY KEY,
    email varchar(255) NOT NULL,
    name varchar(100),
    image_url text,
    created_at timestamp DEFAULT now(),
    max_concurrent_bots integer NOT NULL DEFAULT 3,
    data jsonb NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX ix_users_email ON users (email);

CREATE TABLE api_tokens (
    id serial PRIMARY KEY,
    token varchar(255) NOT NULL,
    user_id integer NOT NULL REFERENCES users (id),
    created_at timestamp DEFAULT now(),
    scopes text[] NOT NULL DEFAULT '{}',
    name varchar(255),
    last_used_at timestamp,
    expires_at timestamp
);
CREATE UNIQUE INDEX ix_api_tokens_token ON api_tokens (token);

CREATE TABLE platform_settings (
    key varchar(64) PRIMARY KEY,
    value jsonb,
    updated_at timestamp DEFAULT now()
);

-- The user lives in another service: no foreign key.
CREATE TABLE meetings (
    id serial PRIMARY KEY,
    user_id integer NOT NULL,
    platform varchar(100) NOT NULL,
    platform_specific_id varchar(255),
    status varchar(50) NOT NULL DEFAULT 'requested',
    bot_container_id varchar(255),
    start_time timestamp,
    end_time timestamp,
    data jsonb NOT NULL DEFAULT '{}',
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX ix_meetings_status ON meetings (status);
CREATE INDEX ix_meeting_user_created_at ON meetings (user_id, created_at);
CREATE INDEX ix_meeting_user_platform_native_id_created_at
    ON meetings (user_id, platform, platform_specific_id, created_at);
CREATE INDEX ix_meeting_data_gin ON meetings USING gin (data);
CREATE INDEX ix_meeting_transcript_viewers_gin ON meetings USING gin ((data -> 'transcript_viewers'));
CREATE INDEX ix_meeting_workspace_created_at ON meetings ((data ->> 'workspace_id'), created_at);
CREATE UNIQUE INDEX uq_meeting_active_user_platform_native
    ON meetings (user_id, platform, platform_specific_id)
    WHERE status NOT IN ('completed', 'failed');

CREATE TABLE meeting_sessions (
    id serial PRIMARY KEY,
    meeting_id integer NOT NULL REFERENCES meetings (id),
    session_uid varchar NOT NULL,
    session_start_time timestamptz DEFAULT now(),
    CONSTRAINT _meeting_session_uc UNIQUE (meeting_id, session_uid)
);

CREATE TABLE transcriptions (
    id serial PRIMARY KEY,
    meeting_id integer NOT NULL REFERENCES meetings (id),
    start_time double precision NOT NULL,
    end_time double precision NOT NULL,
    text text NOT NULL,
    segment_id varchar
);
CREATE UNIQUE INDEX uq_transcription_segment ON transcriptions (meeting_id, segment_id) WHERE segment_id IS NOT NULL;

INSERT INTO users (email, name, max_concurrent_bots)
VALUES ('ada@example.org', 'Ada', 12), ('bob@example.org', NULL, 1), ('eve@example.org', NULL, 0);
INSERT INTO api_tokens (token, user_id, scopes) SELECT 'token-' || id, id, '{bot,tx}' FROM users;
INSERT INTO meetings (user_id, platform, platform_specific_id, status, data)
SELECT 1, 'zoom', (100000000 + number)::text, status,
       jsonb_build_object('status_transition', jsonb_build_array(jsonb_build_object('to', status)))
FROM unnest(ARRAY['requested', 'joining', 'awaiting_admission', 'needs_help', 'needs_human_help', 'active', 'stopping',
                  'completed', 'failed', 'scheduled', 'idle'])
     WITH ORDINALITY AS rows (status, number);
-- Of a user whom the other service deleted.
INSERT INTO meetings (user_id, platform, status) VALUES (4711, 'teams', 'failed');
INSERT INTO meeting_sessions (meeting_id, session_uid) SELECT id, 'session-' || id FROM meetings;
