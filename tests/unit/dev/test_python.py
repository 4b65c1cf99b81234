"""Which Python the tools run on: a name on PATH is not enough, and an old Python begins a command on a newer one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev.python import building, choice, finding
from dev.python.finding import accepted, candidates, versions

REPOSITORY = Path(__file__).resolve().parents[3]


def program(path: Path, says: str, *, code: int = 0) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


def test_the_running_python_is_accepted() -> None:
    assert accepted(sys.executable) == Path(sys.executable)


@pytest.mark.parametrize(("says", "code"), [("3 11 /usr/bin/python3", 0), ("command not found", 127), ("", 0)])
def test_an_old_or_broken_python_is_not_accepted(says: str, code: int, tmp_path: Path) -> None:
    assert accepted(program(tmp_path / "python3.13", says, code=code)) is None


def test_a_program_that_is_not_there_is_not_accepted(tmp_path: Path) -> None:
    assert accepted(str(tmp_path / "python3.13")) is None


def test_the_python_of_the_images_is_preferred() -> None:
    assert versions()[0] == finding.PREFERRED
    assert sorted(versions()) == [(3, 12), (3, 13), (3, 14)]


def test_pyenvs_versions_are_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    there = program(tmp_path / "versions" / "3.13.7" / "bin" / "python3", "")
    assert there in list(candidates())


def test_without_a_fitting_python_one_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "find", lambda: None)
    monkeypatch.setattr(choice, "ensure", lambda: Path("/unpacked/bin/python3"))
    assert choice.chosen_or_exit() == "/unpacked/bin/python3"


def test_what_is_unpacked_is_new_enough() -> None:
    major, minor = map(int, building.version().split(".")[:2])
    assert (major, minor) in versions()


def test_a_command_begun_on_an_older_python_runs_on_a_newer_one(tmp_path: Path) -> None:
    newer = program(tmp_path / "newer", "on the newer one")
    found = program(tmp_path / "python3", f"3 13 {newer}")
    code = f"import sys; sys.version_info = (3, 11); sys.executable = {found!r}; import dev; sys.exit('older')"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("on the newer one\n", "")
