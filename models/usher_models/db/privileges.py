"""What the database role may do, and what it must be allowed to do."""

from sqlalchemy import Connection, text

# What Usher does with each table; the other tables of the schema usher are its own to read and write.
_READ, _WRITE = ("SELECT",), ("SELECT", "INSERT", "UPDATE", "DELETE")
_NEEDED: dict[str, tuple[str, ...]] = {
    "public.users": ("SELECT", "INSERT", "UPDATE"),
    "public.api_tokens": ("SELECT", "INSERT", "DELETE"),
    "public.meetings": ("SELECT", "INSERT", "UPDATE"),
    "public.meeting_sessions": ("SELECT", "INSERT"),
    "usher.alembic_version": _READ,
    "usher.installation": _READ,
    # Of some Vexa databases only: what a deleted meeting takes along.
    "public.transcriptions": ("SELECT", "DELETE"),
}
_TABLES = text(
    "SELECT 'usher.' || relname AS name FROM pg_class WHERE relnamespace = to_regnamespace('usher') AND relkind = 'r'"
)
_LACKING = text("""
SELECT needed.name, string_agg(needed.privilege, ', ' ORDER BY needed.privilege) AS privileges
FROM unnest(CAST(:names AS text[]), CAST(:privileges AS text[])) AS needed (name, privilege)
WHERE to_regclass(needed.name) IS NOT NULL
  AND NOT has_table_privilege(to_regclass(needed.name), needed.privilege)
GROUP BY needed.name ORDER BY needed.name
""")
# Those that a column's default draws from; the sequence of an identity column needs no privilege, but for `meetings`,
# where Usher draws from it itself.
_SEQUENCES = text("""
SELECT DISTINCT CAST(s.oid AS regclass)::text AS name
FROM pg_attrdef d
JOIN pg_depend used ON used.classid = CAST('pg_attrdef' AS regclass) AND used.objid = d.oid
                   AND used.refclassid = CAST('pg_class' AS regclass)
JOIN pg_class s ON s.oid = used.refobjid
WHERE d.adrelid = ANY(ARRAY(SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS t (name)))
  AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE') ELSE false END
""")
_FUNCTIONS = text("""
SELECT CAST(CAST(oid AS regprocedure) AS text) AS name FROM pg_proc
WHERE pronamespace = to_regnamespace('usher') AND NOT has_function_privilege(oid, 'EXECUTE') ORDER BY name
""")
_HIDDEN = text("""
SELECT name FROM unnest(CAST(:tables AS text[])) AS t (name)
WHERE to_regclass(name) IS NOT NULL AND row_security_active(to_regclass(name)) ORDER BY name
""")


def lacking(connection: Connection) -> list[str]:
    """A sentence for each right that the role lacks."""
    needed = {row.name: _WRITE for row in connection.execute(_TABLES)} | _NEEDED
    pairs = [(name, privilege) for name, privileges in needed.items() for privilege in privileges]
    rows = connection.execute(
        _LACKING, {"names": [name for name, _ in pairs], "privileges": [privilege for _, privilege in pairs]}
    )
    tables = {"tables": sorted(needed)}
    problems = [f"The role may not {row.privileges} on {row.name}: grant it." for row in rows]
    problems += [
        f"The role may not use the sequence {row.name}: grant USAGE on it."
        for row in connection.execute(_SEQUENCES, tables)
    ]
    problems += [
        f"The role may not call the function {row.name}: grant EXECUTE on it." for row in connection.execute(_FUNCTIONS)
    ]
    return problems + [
        f"Row-level security hides rows of {row.name} from the role: grant it BYPASSRLS, or make it the owner."
        for row in connection.execute(_HIDDEN, tables)
    ]
