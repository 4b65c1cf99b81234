"""The three source roots are no packages: `operator/__init__.py` would shadow the standard library's `operator`."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
ROOTS = ("operator", "models", "bot_runtime")


@pytest.mark.parametrize("root", ROOTS)
def test_a_source_root_is_no_package(root: str) -> None:
    assert (REPOSITORY / root).is_dir()
    assert not (REPOSITORY / root / "__init__.py").exists()


def test_operator_is_the_standard_librarys_even_from_the_root() -> None:
    """In an interpreter of its own, with the repository first on the path: ours has imported it long ago."""
    found = subprocess.run(
        [sys.executable, "-S", "-c", "import operator; print(operator.__file__)"],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONSAFEPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(found.strip()).parent == Path(sysconfig.get_path("stdlib"))
