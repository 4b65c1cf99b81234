-- The schema of an early Vexa deployment, with a row of every status it writes.
CREATE TABLE users (
    id serial PRIMARY KEY,
    email varchar(255) NOT NULL,
    name varchar(100),
    image_url text,
    created_at timestamp DEFAULT now(),
    max_concurrent_bots integer NOT NULL DEFAULT 1,
    data jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ix_users_id ON users (id);
CREATE UNIQUE INDEX ix_users_email ON users (email);

CREATE TABLE api_tokens (
    id serial PRIMARY KEY,
    token varchar(255) NOT NULL,
    user_id integer NOT NULL REFERENCES users (id),
    created_at timestamp DEFAULT now()
);
CREATE INDEX ix_api_tokens_id ON api_tokens (id);
CREATE UNIQUE INDEX ix_api_tokens_token ON api_tokens (token);
CREATE INDEX ix_api_tokens_user_id ON api_tokens (user_id);

CREATE TABLE meetings (
    id serial PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id),
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
CREATE INDEX ix_meetings_id ON meetings (id);
CREATE INDEX ix_meetings_user_id ON meetings (user_id);
CREATE INDEX ix_meetings_platform_specific_id ON meetings (platform_specific_id);
CREATE INDEX ix_meetings_status ON meetings (status);
CREATE INDEX ix_meetings_created_at ON meetings (created_at);
CREATE INDEX ix_meeting_user_platform_native_id_created_at
    ON meetings (user_id, platform, platform_specific_id, created_at);
CREATE INDEX ix_meeting_data_gin ON meetings USING gin (data);

CREATE TABLE meeting_sessions (
    id serial PRIMARY KEY,
    meeting_id integer NOT NULL REFERENCES meetings (id),
    session_uid varchar NOT NULL,
    session_start_time timestamptz DEFAULT now(),
    CONSTRAINT _meeting_session_uc UNIQUE (meeting_id, session_uid)
);
CREATE INDEX ix_meeting_sessions_id ON meeting_sessions (id);
CREATE INDEX ix_meeting_sessions_meeting_id ON meeting_sessions (meeting_id);
CREATE INDEX ix_meeting_sessions_session_uid ON meeting_sessions (session_uid);

CREATE TABLE transcriptions (
    id serial PRIMARY KEY,
    meeting_id integer NOT NULL REFERENCES meetings (id),
    start_time double precision NOT NULL,
    end_time double precision NOT NULL,
    text text NOT NULL,
    speaker varchar(255),
    language varchar(10),
    created_at timestamp DEFAULT now(),
    session_uid varchar
);
CREATE INDEX ix_transcription_meeting_start ON transcriptions (meeting_id, start_time);

-- Vexa's own migrations: not to be taken for Usher's.
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('dc59a1c03d1f');

INSERT INTO users (email, name, max_concurrent_bots, data)
VALUES ('ada@example.org', 'Ada', 8, '{"webhook_url": "https://example.org/hook"}'),
       ('bob@example.org', NULL, 1, '{}'),
       ('eve@example.org', NULL, 0, '{}');
INSERT INTO api_tokens (token, user_id) SELECT 'token-' || id, id FROM users;
INSERT INTO meetings (user_id, platform, platform_specific_id, status, bot_container_id, data)
SELECT 1, 'google_meet', 'abc-defg-h' || substr('abcdef', number::integer, 2), status, 'container-' || number,
       jsonb_build_object('name', status)
FROM unnest(ARRAY['reserved', 'starting', 'active', 'stopping', 'completed', 'failed'])
     WITH ORDINALITY AS rows (status, number);
INSERT INTO meetings (user_id, platform, status) VALUES (2, 'zoom', 'completed');
INSERT INTO meeting_sessions (meeting_id, session_uid) SELECT id, 'session-' || id FROM meetings;
INSERT INTO transcriptions (meeting_id, start_time, end_time, text) VALUES (5, 0, 1.5, 'Hello.');
