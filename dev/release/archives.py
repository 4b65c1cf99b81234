"""Archives that are the same whenever and wherever they are made: sorted, and with one time, owner and mode."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path


def of_folder(folder: Path, archive: Path, *, epoch: int) -> None:
    """Write the files of a folder into a tar archive."""
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            with path.open("rb") as content:
                entry = _entry(str(path.relative_to(folder)), path.stat().st_size, epoch=epoch)
                tar.addfile(entry, content)


def normalise(archive: Path, *, epoch: int) -> None:
    """Write a .tgz again, sorted and with one time."""
    with tarfile.open(archive) as tar:
        files = {member.name: _content(tar, member) for member in tar.getmembers() if member.isfile()}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files.items()):
            tar.addfile(_entry(name, len(content), epoch=epoch), io.BytesIO(content))
    archive.write_bytes(gzip.compress(packed.getvalue(), mtime=epoch))


def member(archive: Path, name: str) -> bytes:
    """One file of an archive. Raises KeyError when it has none of that name."""
    with tarfile.open(archive) as tar:
        return _content(tar, tar.getmember(name))


def sha256(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _entry(name: str, size: int, *, epoch: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, epoch, 0o644
    return entry


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = tar.extractfile(member)
    return content.read() if content else b""
