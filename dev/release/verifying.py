"""Verification of a release, from its folder alone and without the network: `make verify-release VERSION=…`.

It trusts nothing that the build said: each digest is computed anew, down to the uncompressed layers of the images.
"""

import base64
import csv
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dev.machine.errors import DevError
from dev.release import archives, checksums, signing
from dev.release.images import LABEL, digest

DIGESTS = "IMAGES"
BESIDE = frozenset({signing.SIGNATURE, signing.PUBLIC_KEY})


def verify(folder: Path, *, version: str, public_key: Path | None = None) -> Iterator[str]:
    """A sentence for each thing that is right. Raises DevError at the first that is not."""
    if not (folder / checksums.SUMS).exists():
        raise DevError(f"There is no release in {folder}; `make release VERSION={version}` builds it.")
    try:
        yield from _verified(folder, version=version, public_key=public_key)
    except (OSError, LookupError, ValueError, tarfile.TarError, zipfile.BadZipFile, yaml.YAMLError) as error:
        raise DevError(f"A part of {folder} is not there or is something else: {error}.") from error


def _verified(folder: Path, *, version: str, public_key: Path | None) -> Iterator[str]:
    signing.verify(folder / checksums.SUMS, public_key=public_key or folder / signing.PUBLIC_KEY)
    yield f"{signing.SIGNATURE} is the signature of {public_key or signing.PUBLIC_KEY}"
    yield f"{checksums.verify(folder, beside=BESIDE)} files are as {checksums.SUMS} says"
    yield from (_image(folder, line, version=version) for line in (folder / DIGESTS).read_text().splitlines())
    yield _wheel(folder / f"usher-{version}-py3-none-any.whl")
    yield _chart(folder / f"usher-{version}.tgz", version=version)
    yield from (_sbom(page, version=version) for page in sorted(folder.glob("*.cdx.json")))


def _image(folder: Path, line: str, *, version: str) -> str:
    name, _, noted = line.partition("@")
    archive = folder / f"usher-{name.partition(':')[0].rpartition('/')[2]}-{version}.oci.tar"
    _hold(digest(archive) == noted, f"{archive.name} holds another image than {DIGESTS} says")
    manifest = json.loads(_blob(archive, noted))
    config = json.loads(_blob(archive, manifest["config"]["digest"]))
    layers = [gzip.decompress(_blob(archive, layer["digest"])) for layer in manifest["layers"]]
    unpacked = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    _hold(unpacked == config["rootfs"]["diff_ids"], f"{archive.name} has other layers than its configuration says")
    labelled = config["config"]["Labels"].get(f"{LABEL}version")
    _hold(labelled == version, f"{archive.name} is labelled with version {labelled}")
    return f"{line} has {len(layers)} layers that are what they say"


def _blob(archive: Path, name: str) -> bytes:
    content = archives.member(archive, f"blobs/{name.replace(':', '/')}")
    _hold(f"sha256:{hashlib.sha256(content).hexdigest()}" == name, f"{name} in {archive.name} is something else")
    return content


def _wheel(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as opened:
        record = next(name for name in opened.namelist() if name.endswith(".dist-info/RECORD"))
        rows = list(csv.reader(io.StringIO(opened.read(record).decode())))
        for name, noted, _ in rows:
            _hold(not noted or _record_digest(opened.read(name)) == noted, f"{name} in {wheel.name} is not as recorded")
    return f"{wheel.name} holds the {len(rows)} files that it records"


def _record_digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def _chart(archive: Path, *, version: str) -> str:
    chart: dict[str, Any] = yaml.safe_load(archives.member(archive, "usher/Chart.yaml"))
    _hold((chart["version"], chart["appVersion"]) == (version, version), f"{archive.name} says another version")
    images = [image["image"] for image in yaml.safe_load(chart["annotations"]["artifacthub.io/images"])]
    _hold(all(image.endswith(f":{version}") for image in images), f"{archive.name} names images of another version")
    return f"{archive.name} is version {version} and names {' and '.join(images)}"


def _sbom(page: Path, *, version: str) -> str:
    sbom = json.loads(page.read_text())
    said = sbom["metadata"]["component"]["version"]
    _hold(said == version, f"{page.name} is for version {said}")
    return f"{page.name} lists {len(sbom['components'])} components"


def _hold(right: bool, sentence: str) -> None:
    if not right:
        raise DevError(f"{sentence}.")
