"""What is in each image, as CycloneDX: Python packages by its lock, Debian packages by dpkg in the image itself.

`make sbom` writes build/sbom/NAME.cdx.json and prints one line for each image, with its size. cyclonedx-py makes the
Python part; Debian's packages are added to it, named by package URLs (https://github.com/package-url/purl-spec).
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev.cluster import buildah
from dev.cluster.settings import REPOSITORY, Settings, load
from dev.cluster.staging import Image, chosen
from dev.image_sizes import unpacked
from dev.machine.commands import run
from dev.machine.errors import DevError

IMAGES = "operator,bot,bot-browser"
OUTPUT = REPOSITORY / "build" / "sbom"
PACKAGES = "var/lib/dpkg/status"


def main() -> int:
    """`python3 -m dev.sbom --cyclonedx PROGRAM`."""
    parser = argparse.ArgumentParser(prog="sbom", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cyclonedx", required=True, help="the program cyclonedx-py")
    options = parser.parse_args()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    try:
        for image in chosen(IMAGES):
            page = OUTPUT / f"{image.name}.cdx.json"
            print(write(load(), image, version="dev", cyclonedx=options.cyclonedx, page=page))
    except DevError as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    return 0


def write(settings: Settings, image: Image, *, version: str, cyclonedx: str, page: Path) -> str:
    """Write the page of an image of buildah's storage; a sentence about what it lists."""
    tag = image.reference(version)
    argv = [cyclonedx, "requirements", str(REPOSITORY / image.lock), "--output-format", "JSON", "--output-reproducible"]
    python: dict[str, Any] = json.loads(run(argv))
    with buildah.mounted(settings, tag) as root:
        packages = list(debian_components((root / PACKAGES).read_text()))
        size = unpacked(root) / 2**20
    if not packages:
        raise DevError(f"{tag} has no package list of dpkg; build it on a Debian base.")
    listed = python.get("components", [])
    about = {"type": "container", "bom-ref": tag, "name": f"usher.dev/{image.name}", "version": version}
    metadata = python.get("metadata", {}) | {"component": about}
    whole = python | {"metadata": metadata, "components": [*listed, *packages]}
    page.write_text(json.dumps(whole, indent=1) + "\n")
    return f"{tag}: {size:.0f} MiB, {len(listed)} Python and {len(packages)} Debian packages: {page.name}"


def debian_components(status: str) -> Iterator[dict[str, Any]]:
    """The installed packages of a dpkg status file, as components of CycloneDX."""
    for paragraph in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status", "").endswith(" installed"):
            name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
            url = f"pkg:deb/debian/{name}@{version.replace(':', '%3A').replace('+', '%2B')}?arch={architecture}"
            yield {"type": "library", "bom-ref": url, "name": name, "version": version, "purl": url}


if __name__ == "__main__":
    sys.exit(main())
