"""Where the test stores live and listen. One frozen object, made when a command begins."""

import os
from dataclasses import dataclass
from pathlib import Path

POSTGRES_PACKAGES = ("postgresql-15", "postgresql-client-15")
REDIS_PACKAGES = ("redis-server",)
PGBOUNCER_PACKAGES = ("pgbouncer",)
HOST = "127.0.0.1"
DATABASE_URL = "USHER_TEST_DATABASE_URL"
REDIS_URL = "USHER_TEST_REDIS_URL"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Paths and ports of the test stores."""

    home: Path
    postgres_bin: Path = Path("/usr/lib/postgresql/15/bin")
    postgres_port: int = 24329
    redis_port: int = 63799
    pgbouncer_port: int = 24330
    user: str = "usher"
    database: str = "usher"
    max_connections: int = 300

    @property
    def postgres_data(self) -> Path:
        return self.home / "postgres" / "data"

    @property
    def postgres_socket(self) -> Path:
        return self.home / "postgres" / "socket"

    @property
    def postgres_log(self) -> Path:
        return self.home / "postgres" / "postgres.log"

    @property
    def redis_home(self) -> Path:
        return self.home / "redis"

    @property
    def pgbouncer_config(self) -> Path:
        return self.home / "pgbouncer" / "pgbouncer.ini"

    @property
    def database_url(self) -> str:
        return f"postgresql+psycopg://{self.user}@{HOST}:{self.postgres_port}/{self.database}"

    @property
    def redis_url(self) -> str:
        return f"redis://{HOST}:{self.redis_port}/0"


def given() -> "dict[str, str]":
    """The URLs of stores that are there already, such as a CI service's, if both are given; else nothing."""
    urls = {name: os.environ.get(name, "") for name in (DATABASE_URL, REDIS_URL)}
    return urls if all(urls.values()) else {}


def load() -> Settings:
    """The settings of this machine: Postgres refuses to run as root and cannot look into root's home."""
    if home := os.environ.get("USHER_STORES"):
        return Settings(home=Path(home).resolve())
    if os.geteuid() == 0:
        return Settings(home=Path("/var/lib/usher-stores"))
    cache = os.environ.get("USHER_CACHE") or Path.home() / ".cache" / "usher"
    return Settings(home=Path(cache).resolve() / "stores")
