"""SHA256SUMS, as sha256sum writes and checks it."""

from pathlib import Path

from dev.machine.errors import DevError
from dev.release import archives

SUMS = "SHA256SUMS"


def write(folder: Path) -> Path:
    """Note the digest of every file of the folder."""
    sums = folder / SUMS
    files = sorted(path for path in folder.iterdir() if path != sums)
    sums.write_text("".join(f"{archives.sha256(path)}  {path.name}\n" for path in files))
    return sums


def read(sums: Path) -> dict[str, str]:
    """The noted digests by the files' names."""
    return {name: digest for digest, _, name in (line.partition("  ") for line in sums.read_text().splitlines())}


def verify(folder: Path, *, beside: frozenset[str]) -> int:
    """How many files are as noted. Raises DevError if one is missing, changed or not noted."""
    noted = read(folder / SUMS)
    there = {path.name for path in folder.iterdir()} - beside - {SUMS}
    if there != set(noted):
        raise DevError(f"{SUMS} and the files differ in {', '.join(sorted(there ^ set(noted)))}.")
    changed = [name for name, digest in noted.items() if archives.sha256(folder / name) != digest]
    if changed:
        raise DevError(f"These files are not what {SUMS} says: {', '.join(changed)}.")
    return len(noted)
