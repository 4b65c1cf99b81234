#!/bin/sh
# Make the database in an empty PGDATA, then become the server. The names are the stock image's.
set -eu

: "${POSTGRES_USER:=postgres}"
: "${POSTGRES_DB:=$POSTGRES_USER}"

initialise() {
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "POSTGRES_PASSWORD is not set; set it to the password that user $POSTGRES_USER is to have." >&2
        exit 1
    fi
    # In a folder beside the final one: a killed start leaves nothing that passes for a database.
    unfinished="$PGDATA/.unfinished"
    rm -rf "$unfinished"
    mkdir -p -m 0700 "$unfinished"
    printf '%s\n' "$POSTGRES_PASSWORD" > "$unfinished.password"
    initdb --pgdata "$unfinished" --username "$POSTGRES_USER" --pwfile "$unfinished.password" \
        --encoding UTF8 --locale C.UTF-8 --auth-local trust --auth-host scram-sha-256
    rm -f "$unfinished.password"
    echo "host all all all scram-sha-256" >> "$unfinished/pg_hba.conf"
    if [ "$POSTGRES_DB" != postgres ]; then
        printf 'CREATE DATABASE "%s";\n' "$POSTGRES_DB" | postgres --single -D "$unfinished" postgres > /dev/null
    fi
    # PG_VERSION goes last: it is what the next start looks for.
    find "$unfinished" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv {} "$PGDATA/" \;
    mv "$unfinished/PG_VERSION" "$PGDATA/"
    rmdir "$unfinished"
}

case "${1:-postgres}" in
-*) set -- postgres "$@" ;;
esac

if [ "$1" = postgres ]; then
    mkdir -p "$PGDATA"
    [ -s "$PGDATA/PG_VERSION" ] || initialise
    chmod 0700 "$PGDATA" 2> /dev/null || true
    set -- "$@" -c "listen_addresses=*" -c "unix_socket_directories=/var/run/postgresql"
fi
exec "$@"
