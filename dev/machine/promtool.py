"""promtool, Prometheus' own checker of alert rules: taken out of Debian's package, whose server is not installed."""

import tempfile
from pathlib import Path

from dev.machine.commands import run
from dev.machine.progress import Progress

PACKAGE = "prometheus"


def ensure(cache: Path, *, progress: Progress) -> Path:
    """The program; it is fetched once and kept in the cache."""
    program = cache / "tools" / "promtool"
    if not program.exists():
        with progress.step("fetching promtool", usually="5 to 20 s"):
            _fetch(program)
    return program


def _fetch(program: Path) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        # As root apt-get would hand the work to a user who may not write here.
        unsandboxed = ["-o", "APT::Sandbox::User=root"]
        run(["apt-get", "update", "--quiet"])
        run(["apt-get", *unsandboxed, "download", PACKAGE], cwd=Path(folder))
        (archive,) = Path(folder).glob("*.deb")
        run(["dpkg-deb", "--extract", str(archive), folder])
        (Path(folder) / "usr" / "bin" / "promtool").rename(program)
