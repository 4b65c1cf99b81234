"""A release: one version everywhere, the same bytes twice, and a verification that trusts nothing."""

import gzip
import io
import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dev.cluster import binaries, settings
from dev.cluster.settings import REPOSITORY
from dev.machine.errors import DevError, MisuseError
from dev.release import archives, chart, checksums, distributions, signing, verifying, versions
from dev.release.source import Source
from dev.release.versions import Versions

SAID = Versions(package="1.2.3", chart="1.2.3", app="1.2.3", changelog="1.2.3", date="2027-01-31")
SOURCE = Source(revision="0" * 40, epoch=1_700_000_000, clean=True)
CHANGELOG = """# Changelog

## 1.2.3 - unreleased

### Added
- A thing
  of two lines.
- Another.

### Fixed
- A fault.

## 1.2.2 - 2026-12-31

### Added
- An old thing.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    (folder / "b.txt").write_text("b")
    return folder


def pem(key: Ed25519PrivateKey, *, password: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


def test_package_chart_and_changelog_say_one_version() -> None:
    said = versions.read(REPOSITORY)
    versions.check(said.package, said)


@pytest.mark.parametrize(
    "version", ["", "1", "1.2", "v1.2.3", "1.2.3.4", "1.2.3-rc.1", "01.2.3", "1.2.3\n", "../1.2.3"]
)
def test_a_malformed_version_is_refused(version: str) -> None:
    with pytest.raises(MisuseError, match=r"is not a version; give three numbers, such as VERSION=0\.1\.0"):
        versions.check(version, SAID)


@pytest.mark.parametrize("place", ["package", "chart", "app", "changelog"])
def test_a_place_that_says_another_version_is_named(place: str) -> None:
    with pytest.raises(DevError, match=r"VERSION=1\.2\.3 is not what is written: .+ says 1\.2\.2\. Change it there"):
        versions.check("1.2.3", replace(SAID, **{place: "1.2.2"}))


def test_the_changes_of_a_version_have_kinds() -> None:
    assert versions.changes(CHANGELOG, "1.2.3") == [
        {"kind": "added", "description": "A thing of two lines."},
        {"kind": "added", "description": "Another."},
        {"kind": "fixed", "description": "A fault."},
    ]


def test_two_packages_of_the_chart_are_the_same_bytes(tmp_path: Path) -> None:
    helm = binaries.program(settings.load(), "helm")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        chart.package(tmp_path / name, helm=helm, version=versions.read(REPOSITORY).package, source=SOURCE)
    [one], [two] = ((tmp_path / name).glob("*.tgz") for name in ("one", "two"))
    assert archives.sha256(one) == archives.sha256(two)


def test_the_chart_names_the_images_and_the_changes_of_its_version() -> None:
    annotations = chart.annotations(versions.read(REPOSITORY).package)
    version = versions.read(REPOSITORY).package
    images = [image["image"] for image in yaml.safe_load(annotations["artifacthub.io/images"])]
    assert images == [f"usher.dev/{name}:{version}" for name in ("operator", "bot", "bot-browser")]
    kinds = {change["kind"] for change in yaml.safe_load(annotations["artifacthub.io/changes"])}
    assert kinds
    assert kinds <= {"added", "changed", "deprecated", "removed", "fixed", "security"}


def test_two_builds_of_wheel_and_sdist_are_the_same_bytes(tmp_path: Path) -> None:
    digests = set[str]()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        built = distributions.build(tmp_path / name, source=SOURCE)
        digests.add(" ".join(map(archives.sha256, built)))
    assert len(digests) == 1


def test_an_archive_of_a_folder_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    for name, files, mode, moment in (("one", "ab", 0o600, 1), ("two", "ba", 0o664, 2)):
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text(file)
            (tmp_path / name / file).chmod(mode)
            os.utime(tmp_path / name / file, (moment, moment))
        archives.of_folder(tmp_path / name, tmp_path / f"{name}.tar", epoch=SOURCE.epoch)
    assert archives.sha256(tmp_path / "one.tar") == archives.sha256(tmp_path / "two.tar")


def test_a_normalised_package_has_one_time_and_no_owner(tmp_path: Path) -> None:
    archive = tmp_path / "x.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(__file__, arcname="x/b")
        tar.add(__file__, arcname="x/a")
    archives.normalise(archive, epoch=SOURCE.epoch)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive.read_bytes()))) as tar:
        seen = [(member.name, member.mtime, member.uid, member.uname, member.mode) for member in tar.getmembers()]
    assert seen == [(f"x/{name}", SOURCE.epoch, 0, "", 0o644) for name in "ab"]


def test_checksums_notice_what_is_changed_missing_or_added(folder: Path) -> None:
    checksums.write(folder)
    assert checksums.verify(folder, beside=frozenset()) == 2
    (folder / "c.txt").write_text("c")
    with pytest.raises(DevError, match=r"differ in c\.txt"):
        checksums.verify(folder, beside=frozenset())
    (folder / "c.txt").unlink()
    (folder / "a.txt").write_text("other")
    with pytest.raises(DevError, match=r"a\.txt"):
        checksums.verify(folder, beside=frozenset())
    (folder / "a.txt").unlink()
    with pytest.raises(DevError, match=r"differ in a\.txt"):
        checksums.verify(folder, beside=frozenset())


def test_sha256sum_and_openssl_verify_a_release(folder: Path) -> None:
    sums = checksums.write(folder)
    signing.signer({}).sign(sums)
    for argv in (
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"],
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", signing.PUBLIC_KEY, "-rawin",
         "-in", "SHA256SUMS", "-sigfile", signing.SIGNATURE],
    ):  # fmt: skip
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_key_a_throwaway_one_signs() -> None:
    assert signing.signer({}).throwaway
    assert signing.signer({}).public_key != signing.signer({}).public_key


@pytest.mark.parametrize("password", [None, b"secret"])
@pytest.mark.parametrize("as_file", [True, False])
def test_the_given_key_signs(password: bytes | None, as_file: bool, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    text = pem(key, password=password)
    (tmp_path / "key").write_text(text)
    given = {signing.KEY: str(tmp_path / "key") if as_file else text}
    signer = signing.signer(given | ({signing.PASSWORD: password.decode()} if password else {}))
    assert not signer.throwaway
    assert signer.key.private_bytes_raw() == key.private_bytes_raw()


def test_a_key_that_cannot_sign_is_refused_and_not_printed(tmp_path: Path) -> None:
    locked = pem(Ed25519PrivateKey.generate(), password=b"secret")
    with pytest.raises(DevError, match=r"USHER_SIGNING_KEY cannot be read") as refused:
        signing.signer({signing.KEY: locked})
    assert "BEGIN" not in str(refused.value)
    with pytest.raises(DevError, match=r"USHER_SIGNING_KEY cannot be read"):
        signing.signer({signing.KEY: str(tmp_path / "absent")})
    other = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(DevError, match=r"is no Ed25519 key"):
        signing.signer({signing.KEY: other.decode()})


def test_another_keys_signature_is_refused(folder: Path, tmp_path: Path) -> None:
    sums = checksums.write(folder)
    signing.signer({}).sign(sums)
    other = tmp_path / "other.pub"
    other.write_bytes(signing.signer({}).public_key)
    with pytest.raises(DevError, match=r"is not the signature of SHA256SUMS"):
        signing.verify(sums, public_key=other)


def test_an_absent_or_incomplete_release_is_said_in_a_sentence(folder: Path) -> None:
    with pytest.raises(DevError, match=r"There is no release in .+; `make release VERSION=1\.2\.3` builds it"):
        list(verifying.verify(folder, version="1.2.3"))
    signing.signer({}).sign(checksums.write(folder))
    with pytest.raises(DevError, match=r"A part of .+ is not there"):
        list(verifying.verify(folder, version="1.2.3"))
