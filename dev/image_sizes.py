"""What the bytes of the images are: `make image-sizes` prints a table for each (the images must be built)."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dev.cluster import buildah
from dev.cluster.settings import Settings, load
from dev.cluster.staging import chosen
from dev.machine.errors import DevError

IMAGES = "operator,bot"
LAYERS = ("Debian with Python", "dependencies", "Usher")
SITE_PACKAGES = "opt/usher/lib"
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
    layers = buildah.layer_sizes(settings, tag)
    yield f"{tag}: {sum(layers) / MIB:.0f} MiB unpacked"
    yield from (_line(name, size) for name, size in zip(LAYERS, layers, strict=True))
    with buildah.mounted(settings, tag) as root:
        [packages] = (root / SITE_PACKAGES).glob("python*/site-packages")
        sizes = by_package(packages)
        yield "of the dependencies"
        yield from (_line(name, size) for name, size in sizes.most_common(LISTED))
        yield _line("others", sum(sizes.values()) - sum(size for _, size in sizes.most_common(LISTED)))
        yield _line("bytecode of all of them", sum(path.stat().st_size for path in packages.rglob("*.pyc")))


def by_package(folder: Path) -> "Counter[str]":
    """The bytes of the files below each entry of a folder."""
    sizes: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            sizes[path.relative_to(folder).parts[0]] += path.stat().st_size
    return sizes


def _line(name: str, size: int) -> str:
    return f"  {size / MIB:7.1f} MiB  {name}"


if __name__ == "__main__":
    sys.exit(main())
