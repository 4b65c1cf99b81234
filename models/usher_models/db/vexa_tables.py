"""The tables of an existing Vexa database, as far as Usher reads or writes them.

They are created only where they are missing, and never altered: an existing deployment keeps its own, with whatever
columns and indexes its version has. Usher's own tables live in the schema `usher` and are made by the migrations.
"""

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

# Newer deployments have it: at most one live row per user and meeting. Its violation is a duplicate, never an error.
ACTIVE_MEETING_INDEX = "uq_meeting_active_user_platform_native"
# Its condition. A query that states it too, in the same words, may use the index.
ACTIVE_MEETING = "status NOT IN ('completed', 'failed')"


def holds_slot(status: str) -> str:
    """SQL that is true if the row holds a slot: people and older programs spell a status in other ways, too.

    The second condition lets the query use the index of live meetings.
    """
    return f"(lower(btrim({status})) = ANY(:holds) AND {status} NOT IN ('completed', 'failed'))"


# Created explicitly there: with the usual search path, a schema named after the role would come first.
SCHEMA = "public"
vexa = MetaData(schema=SCHEMA)

_now = func.now()

users = Table(
    "users",
    vexa,
    Column("id", Integer, primary_key=True, index=True),
    Column("email", String(255), unique=True, index=True, nullable=False),
    Column("name", String(100)),
    Column("image_url", Text),
    Column("created_at", DateTime, server_default=_now),
    Column("max_concurrent_bots", Integer, nullable=False, server_default=text("1")),
    Column("data", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
)

api_tokens = Table(
    "api_tokens",
    vexa,
    Column("id", Integer, primary_key=True, index=True),
    Column("token", String(255), unique=True, index=True, nullable=False),
    Column("user_id", Integer, ForeignKey("public.users.id"), nullable=False, index=True),
    Column("created_at", DateTime, server_default=_now),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("name", String(255)),
    Column("last_used_at", DateTime),
    Column("expires_at", DateTime),
)

meetings = Table(
    "meetings",
    vexa,
    Column("id", Integer, primary_key=True, index=True),
    Column("user_id", Integer, ForeignKey("public.users.id"), nullable=False, index=True),
    Column("platform", String(100), nullable=False),
    Column("platform_specific_id", String(255), index=True),
    Column("status", String(50), nullable=False, server_default=text("'requested'"), index=True),
    Column("bot_container_id", String(255)),
    Column("start_time", DateTime),
    Column("end_time", DateTime),
    Column("data", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("created_at", DateTime, server_default=_now, index=True),
    Column("updated_at", DateTime, server_default=_now),
    Index("ix_meeting_user_platform_native_id_created_at", "user_id", "platform", "platform_specific_id", "created_at"),
    Index("ix_meeting_data_gin", "data", postgresql_using="gin"),
    Index(
        ACTIVE_MEETING_INDEX,
        "user_id",
        "platform",
        "platform_specific_id",
        unique=True,
        postgresql_where=text(ACTIVE_MEETING),
    ),
)

meeting_sessions = Table(
    "meeting_sessions",
    vexa,
    Column("id", Integer, primary_key=True, index=True),
    Column("meeting_id", Integer, ForeignKey("public.meetings.id"), nullable=False, index=True),
    Column("session_uid", String, nullable=False, index=True),
    Column("session_start_time", DateTime(timezone=True), server_default=_now),
    UniqueConstraint("meeting_id", "session_uid", name="_meeting_session_uc"),
)

# What Usher relies on in a database it did not create: `usher db check` looks for exactly these.
REQUIRED_COLUMNS: dict[str, frozenset[str]] = {
    "users": frozenset({"id", "email", "name", "created_at", "max_concurrent_bots", "data"}),
    "api_tokens": frozenset({"id", "token", "user_id", "created_at"}),
    "meetings": frozenset(column.name for column in meetings.columns),
    "meeting_sessions": frozenset(column.name for column in meeting_sessions.columns),
}
