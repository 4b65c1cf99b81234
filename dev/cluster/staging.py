"""Build contexts: a copy of only the files an image is made from, and a digest of them.

A context lives for one build, in a temporary folder. The digest decides whether to build at all.
"""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.bases import BROWSER, BUILD, PYTHON_BASES, STORES, Base
from dev.cluster.settings import REPOSITORY
from dev.machine.errors import DevError, MisuseError

IGNORED = ("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache")
PROJECT = ("pyproject.toml", "README.md", "LICENSE", "locks/build.txt", "models", "images/python")


@dataclass(frozen=True, kw_only=True)
class Image:
    """One of the project's images: its name, and the files it is made from beside its own folder.

    `of` is another image whose code it takes, by the build argument BOT_IMAGE. `lock` names its Python packages.
    """

    name: str
    program: str = ""
    inputs: tuple[str, ...] = ()
    bases: tuple[Base, ...] = (STORES,)
    of: "Image | None" = None
    lock: str = ""

    @property
    def tag(self) -> str:
        return self.reference("dev")

    def reference(self, version: str) -> str:
        """The image's name with a tag."""
        return f"usher.dev/{self.name}:{version}"

    @property
    def folder(self) -> Path:
        return REPOSITORY / "images" / self.name


BOT = Image(
    name="bot",
    program="usher-bot",
    inputs=(*PROJECT, "locks/bot.txt", "bot_runtime"),
    bases=PYTHON_BASES,
    lock="locks/bot.txt",
)
CATALOGUE = (
    Image(
        name="operator",
        program="usher",
        inputs=(*PROJECT, "locks/operator.txt", "operator"),
        bases=PYTHON_BASES,
        lock="locks/operator.txt",
    ),
    BOT,
    Image(
        name="bot-browser",
        program="usher-bot",
        inputs=("locks/browser.txt", "images/python"),
        bases=(BROWSER, BUILD),
        of=BOT,
        lock="locks/browser.txt",
    ),
    Image(name="postgres"),
    Image(name="redis"),
)


def chosen(only: str | None) -> list[Image]:
    """The images of a comma-separated list, or all."""
    known = {image.name: image for image in CATALOGUE}
    names = [name.strip() for name in only.split(",")] if only else list(known)
    for name in names:
        if name not in known:
            raise MisuseError(f"There is no image {name!r}; the images are {', '.join(known)}.")
    return [known[name] for name in names]


def files(image: Image) -> dict[str, Path]:
    """Each file of the context by its path there."""
    found: dict[str, Path] = {}
    for path in _below(image.folder):
        found[str(path.relative_to(image.folder))] = path
    for name in image.inputs:
        for path in _below(REPOSITORY / name):
            found[str(path.relative_to(REPOSITORY))] = path
    return found


def digest(image: Image, *salt: str) -> str:
    """What the image is made from, in one word."""
    taken = [digest(image.of)] if image.of else []
    whole = hashlib.sha256("\0".join([*salt, *taken]).encode())
    for name, path in sorted(files(image).items()):
        whole.update(f"\0{name}\0{is_executable(path)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def stage(image: Image, context: Path) -> None:
    """Copy the image's files into an empty folder."""
    for name, path in files(image).items():
        target = context / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o755 if is_executable(path) else 0o644)  # a checkout's own modes follow its user's umask


def is_executable(path: Path) -> bool:
    """True if its owner may execute the file."""
    return bool(path.stat().st_mode & 0o100)


def _below(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        whole = (entry for entry in sorted(path.rglob("*")) if entry.is_file())
        yield from (entry for entry in whole if not set(entry.parts) & set(IGNORED) and entry.suffix != ".pyc")
    else:
        raise DevError(f"{path} is not there, but an image is made from it; is this a complete checkout?")
