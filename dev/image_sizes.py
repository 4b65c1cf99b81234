"""What the bytes of the images are: `make image-sizes` prints a table for each (the images must be built)."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dev.cluster import buildah
from dev.cluster.settings import Settings, load
from dev.cluster.staging import chosen
from dev.machine.errors import DevError

IMAGES = "operator,bot,bot-browser"
DEPENDENCIES = "opt/usher"
LISTED = 12
MIB = 2**20


def main() -> int:
    """0 when all images were there."""
    try:
        for image in chosen(IMAGES):
            print("\n".join(table(load(), image.tag)))
    except DevError as error:
        print(f"image-sizes: {error}", file=sys.stderr)
        return 1
    return 0


def table(settings: Settings, tag: str) -> Iterator[str]:
    """The lines of the table of one image."""
    with buildah.mounted(settings, tag) as root:
        whole, dependencies, usher = (unpacked(root / part) for part in ("", DEPENDENCIES, "opt/code"))
        [packages] = (root / DEPENDENCIES).glob("lib/python*/site-packages")
        sizes = Counter({entry.name: unpacked(entry) for entry in packages.iterdir()})
        bytecode = sum(path.stat().st_size for path in packages.rglob("*.pyc"))
    yield f"{tag}: {whole / MIB:.0f} MiB unpacked"
    yield _line("Debian with Python", whole - dependencies - usher)
    yield _line("Usher", usher)
    yield _line("dependencies, of which", dependencies)
    yield from (_line(f"  {name}", size) for name, size in sizes.most_common(LISTED))
    yield _line("  others", sum(sorted(sizes.values())[:-LISTED]))
    yield _line("bytecode in all dependencies", bytecode)


def unpacked(path: Path) -> int:
    """The bytes of a file, or of all files below a folder; one with several names counts once."""
    files = [path] if path.is_file() else [Path(top, name) for top, _, names in os.walk(path) for name in names]
    stats = (file.lstat() for file in files)
    return sum({(stat.st_dev, stat.st_ino): stat.st_size for stat in stats}.values())


def _line(name: str, size: int) -> str:
    return f"  {size / MIB:7.1f} MiB  {name}"


if __name__ == "__main__":
    sys.exit(main())
