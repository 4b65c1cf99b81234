"""The test Postgres: its own data directory, port and socket; runs as the user postgres when we are root.

For tests only: connections from this machine need no password, and `fsync` is off, so a crash of the whole
machine may ruin the data. The data is worth nothing: what does not start is set aside and made anew.
"""

import os
import shutil
import signal
from pathlib import Path

from dev.machine import processes, waiting
from dev.machine.commands import attempt, run
from dev.machine.errors import DevError
from dev.machine.processes import Process
from dev.machine.progress import Progress
from dev.stores.settings import HOST, Settings

UNPRIVILEGED = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--")


def process(settings: Settings) -> Process:
    """The server as it should run."""
    program = str(settings.postgres_bin / "postgres")
    options = [word for option in _options(settings) for word in ("-c", option)]
    data = str(settings.postgres_data)
    argv = (program, "-D", data, *options)
    return Process(
        name="postgres",
        argv=argv,
        marker=data,
        log=settings.postgres_log,
        prefix=unprivileged(),
        stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for the tests' open connections
    )


def up(settings: Settings, *, progress: Progress) -> None:
    """Bring the server up with its database, whatever a killed run left behind."""
    if _answers(settings):
        return
    with progress.step("starting Postgres", usually="1 s, 5 s the first time"):
        _prepare(settings)
        try:
            _start(settings)
        except DevError:
            _set_aside(settings)
            _start(settings)
        _create_database(settings)


def down(settings: Settings) -> None:
    """Stop the server; open connections are cut."""
    processes.stop(process(settings))


def unprivileged() -> tuple[str, ...]:
    """What to put before a program that refuses to run as root."""
    return UNPRIVILEGED if os.geteuid() == 0 else ()


def hand_over(folder: Path) -> None:
    """Let such a program write into a folder."""
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")


def _options(settings: Settings) -> list[str]:
    return [
        f"port={settings.postgres_port}",
        f"listen_addresses={HOST}",
        f"unix_socket_directories={settings.postgres_socket}",
        f"max_connections={settings.max_connections}",
        "shared_buffers=256MB",
        "fsync=off",
        "full_page_writes=off",
        "timezone=UTC",
        "log_timezone=UTC",
    ]


def _prepare(settings: Settings) -> None:
    settings.postgres_socket.mkdir(parents=True, exist_ok=True)
    hand_over(settings.postgres_data.parent)
    hand_over(settings.postgres_socket)
    if not settings.postgres_data.exists():
        _init(settings)


def _init(settings: Settings) -> None:
    """Make the data directory under another name first: a killed initdb must not pass for a finished one."""
    unfinished = settings.postgres_data.with_name("data.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    initdb = [str(settings.postgres_bin / "initdb"), "-D", str(unfinished), "--no-sync", "--auth=trust"]
    # From "/": initdb wants to return to its working directory, which may be closed to the user postgres.
    run([*unprivileged(), *initdb, f"--username={settings.user}", "--encoding=UTF8", "--locale=C.UTF-8"], cwd=Path("/"))
    unfinished.rename(settings.postgres_data)


def _start(settings: Settings) -> None:
    server = process(settings)
    if processes.find(server) is None:
        _drop_locks(settings)
        processes.start(server)
    waiting.until(
        lambda: _answers(settings),
        timeout_s=30,
        otherwise=f"Postgres does not answer on {HOST}:{settings.postgres_port}; its log is {server.log}.",
        while_running=server,
    )


def _drop_locks(settings: Settings) -> None:
    """Drop a dead server's lock files: Postgres believes them while their pid exists, be it a stranger's or a zombie's.

    Only when the dead server's backends are gone too, which the files protect from a second server.
    """
    otherwise = f"Processes of an earlier Postgres still use {settings.postgres_data}; wait for them to end."
    waiting.until(lambda: not _used(settings.postgres_data), timeout_s=10, otherwise=otherwise)
    (settings.postgres_data / "postmaster.pid").unlink(missing_ok=True)
    (settings.postgres_socket / f".s.PGSQL.{settings.postgres_port}.lock").unlink(missing_ok=True)


def _used(data: Path) -> bool:
    """Whether a process works in the data directory, as every process of a Postgres does."""
    return any(_folder(entry) == str(data) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _folder(entry: Path) -> str:
    try:
        return os.readlink(entry / "cwd")
    except OSError:
        return ""


def _set_aside(settings: Settings) -> None:
    processes.stop(process(settings), kill=True)
    spoilt = settings.postgres_data.with_name("data.spoilt")
    shutil.rmtree(spoilt, ignore_errors=True)
    settings.postgres_data.rename(spoilt)
    _init(settings)


def _answers(settings: Settings) -> bool:
    program = settings.postgres_bin / "pg_isready"
    if not program.exists() or processes.find(process(settings)) is None:
        return False
    asked = [str(program), "-q", "-h", HOST, "-p", str(settings.postgres_port), "-U", settings.user]
    return attempt(asked).returncode == 0


def _create_database(settings: Settings) -> None:
    psql = [str(settings.postgres_bin / "psql"), "-h", HOST, "-p", str(settings.postgres_port), "-U", settings.user]
    query = f"SELECT count(*) FROM pg_database WHERE datname = '{settings.database}'"
    if run([*psql, "-d", "postgres", "-Atc", query]).strip() == "0":
        run([*psql, "-d", "postgres", "-c", f'CREATE DATABASE "{settings.database}"'])
