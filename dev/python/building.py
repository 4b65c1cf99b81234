"""A Python for a machine whose own is too old: taken from a Go module that carries a whole CPython.

The module is pinned by its hash in go.sum, as everything is that the cluster is built from. It is the portable build
that uv and others install; from here it needs no other host than the Go module proxy. Unpacked once, kept in the cache.
"""

import os
import re
import shutil
from pathlib import Path

from dev.cluster import toolchain
from dev.machine.commands import run_logged
from dev.machine.locking import exclusive
from dev.machine.progress import Progress

MODULE = Path(__file__).resolve().parent / "go"


def ensure() -> Path:
    """The path of the unpacked Python, which is made when it is not there."""
    tools = cache() / "tools"
    final = tools / f"python-{version()}"
    if not final.exists():
        progress = Progress()
        with exclusive(tools / "python.lock", progress=progress):
            if not final.exists():
                _unpack(final, log=tools / "python.log", progress=progress)
    return final / "bin" / "python3"


def version() -> str:
    """What the module file pins, such as 3.14.6-20260610-1."""
    found = re.search(r"go-embed-python v[\d.]+-(\S+)", (MODULE / "go.mod").read_text())
    return found[1] if found else "unknown"


def cache() -> Path:
    """Where what is kept lies; USHER_CACHE moves it."""
    return Path(os.environ.get("USHER_CACHE") or Path.home() / ".cache" / "usher").expanduser().resolve()


def _unpack(final: Path, *, log: Path, progress: Progress) -> None:
    unfinished = final.with_name(final.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    needed = toolchain.needed_version((MODULE / "go.mod").read_text())
    go = toolchain.ensure(needed=needed, cache=cache(), progress=progress)
    with progress.step(f"unpacking Python {version()}, as no Python here is new enough", usually="30 s"):
        argv = [str(go), "run", "-trimpath", "-buildvcs=false", ".", str(unfinished)]
        run_logged(argv, log=log, env=toolchain.environment(), cwd=MODULE)
    unfinished.rename(final)
