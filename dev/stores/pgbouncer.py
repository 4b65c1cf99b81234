"""The test pooler: PgBouncer in transaction mode before the test Postgres, for the role with hostile settings."""

import socket
from pathlib import Path

from dev.machine import processes, waiting
from dev.machine.processes import Process
from dev.machine.progress import Progress
from dev.stores.hostile import ROLE
from dev.stores.postgres import hand_over, unprivileged
from dev.stores.settings import HOST, Settings

PROGRAM = Path("/usr/sbin/pgbouncer")

# No start-up parameter is ignored and no statement stays prepared: that is what a client must be ready for.
CONFIG = """[databases]
* = host={host} port={postgres_port} user={role}

[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 1000
server_check_delay = 0
log_connections = 0
log_disconnections = 0
"""


def process(settings: Settings) -> Process:
    """The pooler as it should run."""
    config = str(settings.pgbouncer_config)
    return Process(
        name="pgbouncer",
        argv=(str(PROGRAM), config),
        marker=config,
        log=settings.home / "pgbouncer" / "pgbouncer.log",
        prefix=unprivileged(),
    )


def up(settings: Settings, *, progress: Progress) -> None:
    """Bring the pooler up."""
    if _answers(settings):
        return
    with progress.step("starting PgBouncer"):
        settings.pgbouncer_config.parent.mkdir(parents=True, exist_ok=True)
        settings.pgbouncer_config.write_text(
            CONFIG.format(host=HOST, postgres_port=settings.postgres_port, port=settings.pgbouncer_port, role=ROLE)
        )
        hand_over(settings.pgbouncer_config.parent)
        processes.start(process(settings))
        otherwise = (
            f"PgBouncer does not answer on {HOST}:{settings.pgbouncer_port}; its log is {process(settings).log}."
        )
        waiting.until(lambda: _answers(settings), timeout_s=15, otherwise=otherwise)


def down(settings: Settings) -> None:
    """Stop the pooler."""
    processes.stop(process(settings))


def _answers(settings: Settings) -> bool:
    if processes.find(process(settings)) is None:
        return False
    try:
        with socket.create_connection((HOST, settings.pgbouncer_port), timeout=2):
            return True
    except OSError:
        return False
