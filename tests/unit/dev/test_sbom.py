"""The list of what is in an image, and how large it is."""

from pathlib import Path

from dev.image_sizes import unpacked
from dev.sbom import debian_components

STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library
 with a colon: inside

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: mawk
Status: install ok installed
Architecture: all
Version: 1:1.3
"""


def test_installed_packages_are_components_with_package_urls() -> None:
    assert [(each["name"], each["version"], each["purl"]) for each in debian_components(STATUS)] == [
        ("libc6", "2.36-9+deb12u10", "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64"),
        ("mawk", "1:1.3", "pkg:deb/debian/mawk@1%3A1.3?arch=all"),
    ]


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_bytes(b"x" * 100)
    (tmp_path / "folder" / "b").hardlink_to(tmp_path / "folder" / "a")
    (tmp_path / "folder" / "c").write_bytes(b"y" * 11)
    assert unpacked(tmp_path) == 111
    assert unpacked(tmp_path / "folder" / "a") == 100
