"""Runs that share the server leave each other alone, and sweep up only after the dead."""

import os

import psycopg
from sqlalchemy import make_url

from dev.stores.settings import load
from tests.databases import Server

URL = os.environ.get("USHER_TEST_DATABASE_URL", load().database_url)


def test_the_databases_of_a_live_run_are_kept_and_those_of_a_dead_one_dropped(server: Server) -> None:
    dsn = make_url(URL).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(dsn, autocommit=True) as looking:

        def exists(name: object) -> bool:
            return looking.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None

        def alive(run: str) -> bool:
            query = "SELECT FROM pg_stat_activity WHERE application_name = %s"
            return looking.execute(query, [run]).fetchone() is not None

        other = Server(URL)
        name = make_url(other.create()).database
        Server(URL).close()
        assert exists(name)
        other.close()
        while alive(other.run):
            pass
        Server(URL).close()
        assert not exists(name)
        assert alive(server.run)
