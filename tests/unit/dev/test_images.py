"""Images: what they are made from, and when they are made again."""

import datetime
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dev.cluster import bases, images, pip_settings, staging
from dev.cluster.settings import REPOSITORY
from dev.cluster.staging import Image
from dev.machine.errors import MisuseError

PYTHON_IMAGES = ("operator", "bot")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(staging, "REPOSITORY", tmp_path)
    for name, text in {"images/x/Dockerfile": "FROM a", "models/m/a.py": "1", "pyproject.toml": "p"}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


IMPORTS = """
import re, sys
import kopf, usher_operator.processes.both
generated = re.compile(r"kubernetes[.].+[.]api[.].+_api|kubernetes[.]aio[.]client[.]rest")
print(*[name for name in sys.modules if generated.fullmatch(name)])
"""
IMAGE = Image(name="x", inputs=("pyproject.toml", "models"))


@pytest.mark.parametrize("image", [each for each in staging.CATALOGUE if each.inputs], ids=lambda each: each.name)
def test_a_build_without_staging_takes_the_same_files(image: Image) -> None:
    """`docker build` in a checkout reads this file, where whatever else lies in the checkout must stay out."""
    lines = (image.folder / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == set(image.inputs)
    assert lines[1] == "*"
    assert set(lines[2:]) - {f"!{name}" for name in image.inputs} == {f"**/{name}" for name in staging.IGNORED}


def test_the_context_holds_the_images_folder_and_its_inputs(repository: Path, tmp_path: Path) -> None:
    (repository / "models/m/__pycache__").mkdir()
    (repository / "models/m/__pycache__/a.pyc").write_text("x")
    context = tmp_path / "context"
    context.mkdir()
    staging.stage(IMAGE, context)
    files = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
    assert files == {"Dockerfile", "pyproject.toml", "models/m/a.py"}


def test_the_digest_changes_with_content_mode_and_base(repository: Path) -> None:
    before = staging.digest(IMAGE, "base")
    assert staging.digest(IMAGE, "base") == before
    assert staging.digest(IMAGE, "newer base") != before
    (repository / "models/m/a.py").chmod(0o755)
    executable = staging.digest(IMAGE, "base")
    assert executable != before
    (repository / "models/m/a.py").write_text("2")
    assert staging.digest(IMAGE, "base") != executable


def test_an_unknown_image_is_misuse() -> None:
    with pytest.raises(MisuseError, match="the images are operator, bot"):
        staging.chosen("operator,nonsense")


def test_images_can_be_chosen() -> None:
    assert [image.name for image in staging.chosen("bot, operator")] == ["bot", "operator"]
    assert staging.chosen(None) == list(staging.CATALOGUE)


def test_an_image_that_takes_from_another_changes_and_is_built_with_it(repository: Path) -> None:
    taking = Image(name="y", of=IMAGE)
    (repository / "images" / "y").mkdir()
    before = staging.digest(taking)
    (repository / "models/m/a.py").write_text("2")
    assert staging.digest(taking) != before
    assert images._in_order([taking]) == [IMAGE, taking]


def test_a_base_is_made_anew_each_month() -> None:
    november, december = (bases.RUNTIME.tag(datetime.date(2026, month, 2)) for month in (11, 12))
    assert november != december
    assert "2026-11" in november


@pytest.mark.parametrize("image", staging.CATALOGUE, ids=lambda image: image.name)
def test_images_run_as_a_fixed_user_that_is_not_root(image: Image) -> None:
    dockerfile = (image.folder / "Dockerfile").read_text()
    users = re.findall(r"^USER (\d+):(\d+)$", dockerfile, re.MULTILINE)
    assert len(users) == 1
    assert "0" not in users[0]


@pytest.mark.parametrize("name", PYTHON_IMAGES)
def test_python_images_install_from_hashed_locks_only(name: str) -> None:
    [image] = staging.chosen(name)
    dockerfile = (image.folder / "Dockerfile").read_text()
    installs = [line for line in re.split(r"\n(?! )", dockerfile) if re.search(r"\binstall\b", line)]
    assert installs
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert "PYTHONSAFEPATH=1" in dockerfile


def test_python_images_run_on_a_base_that_installs_nothing() -> None:
    assert bases.RUNTIME.variant == "essential"  # without apt
    assert not {"python3-venv", "binutils"} & set(bases.RUNTIME.packages)


@pytest.mark.parametrize("name", PYTHON_IMAGES)
def test_bytecode_is_the_same_whenever_it_is_made(name: str) -> None:
    [image] = staging.chosen(name)
    dockerfile = (image.folder / "Dockerfile").read_text()
    assert dockerfile.count("--no-compile") == dockerfile.count("compile.sh /opt/") == 2
    assert "--invalidation-mode unchecked-hash" in (REPOSITORY / "images/python/compile.sh").read_text()


@pytest.mark.timeout(120)  # a whole start of the program, without bytecode at worst
def test_usher_and_kopf_need_no_generated_api_class() -> None:
    """The images leave them out (images/python/prune.sh); the whole program loads none."""
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["kubernetes.aio.client.rest"], "")


def test_neither_side_is_made_from_the_others_code() -> None:
    [operator], [bot] = staging.chosen("operator"), staging.chosen("bot")
    assert not any(name.startswith("bot_runtime") for name in operator.inputs)
    assert "operator" not in bot.inputs
    assert "locks/operator.txt" not in bot.inputs


def test_pip_is_told_what_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configured = tmp_path / "pip.conf"
    configured.write_text("[global]\ntimeout = 1\nfind-links = /wheels\n[install]\nretries = 2\n")
    monkeypatch.setattr(pip_settings, "PLACES", (configured,))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_TIMEOUT", "9")
    monkeypatch.setenv("PIP_CERT", "/certificates")
    lines = pip_settings.gathered().splitlines()
    assert lines == ["[global]", "timeout = 9", "cert = /certificates", "[install]", "retries = 2"]
