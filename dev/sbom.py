"""What is in each image, as CycloneDX: Python packages by its lock, Debian packages by dpkg in the image itself.

`make sbom` writes build/sbom/NAME.cdx.json and prints one line for each image, with its size. cyclonedx-py makes the
Python part; Debian's packages are added to it, named by package URLs (https://github.com/package-url/purl-spec).
"""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from dev.cluster.settings import REPOSITORY, Settings, load
from dev.machine.commands import run
from dev.machine.errors import DevError

IMAGES = ("operator", "bot")
OUTPUT = REPOSITORY / "build" / "sbom"
MIB = 1024 * 1024


def main() -> int:
    """`python3 -m dev.sbom --cyclonedx PROGRAM`."""
    parser = argparse.ArgumentParser(prog="sbom", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cyclonedx", required=True, help="the program cyclonedx-py")
    chosen = parser.parse_args()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    try:
        for image in IMAGES:
            print(_write(load(), image, cyclonedx=chosen.cyclonedx))
    except DevError as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    return 0


def _write(settings: Settings, image: str, *, cyclonedx: str) -> str:
    lock = REPOSITORY / "locks" / f"{image}.txt"
    python: dict[str, Any] = json.loads(run([cyclonedx, "requirements", str(lock), "--output-format", "JSON"]))
    packages = list(debian_components(run(_inside(settings, image))))
    if not packages:
        raise DevError(f"usher.dev/{image}:dev has no package list of dpkg; build it on a Debian base.")
    whole = python | {"components": [*python.get("components", []), *packages]}
    page = OUTPUT / f"{image}.cdx.json"
    page.write_text(json.dumps(whole, indent=1) + "\n")
    counts = f"{len(whole['components']) - len(packages)} Python and {len(packages)} Debian packages"
    return f"usher.dev/{image}:dev: {_size(settings, image) / MIB:.0f} MiB, {counts}: {page.relative_to(REPOSITORY)}"


def debian_components(status: str) -> Iterator[dict[str, Any]]:
    """The installed packages of a dpkg status file, as components of CycloneDX."""
    for paragraph in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status", "").endswith(" installed"):
            name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
            url = f"pkg:deb/debian/{name}@{version.replace(':', '%3A').replace('+', '%2B')}?arch={architecture}"
            yield {"type": "library", "bom-ref": url, "name": name, "version": version, "purl": url}


def _inside(settings: Settings, image: str) -> list[str]:
    """The command that prints the package list of an image."""
    script = 'made=$("$@" from --pull-never usher.dev/$0:dev) && cat "$("$@" mount $made)/var/lib/dpkg/status"; s=$?'
    return ["sh", "-c", f'{script}; "$@" rm $made > /dev/null; exit $s', image, *_buildah(settings)]


def _size(settings: Settings, image: str) -> int:
    listed = json.loads(run([*_buildah(settings), "images", "--json", f"usher.dev/{image}:dev"]))
    return _bytes(str(listed[0]["size"]))


def _bytes(words: str) -> int:
    number, unit = words.split()
    return int(float(number) * {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}[unit])


def _buildah(settings: Settings) -> list[str]:
    return ["buildah", "--root", str(settings.image_store), "--runroot", f"{settings.run}-images"]


if __name__ == "__main__":
    sys.exit(main())
