"""What pages name exists: files, settings, metrics, targets of make, commands of `usher`, values of the chart."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from dev.chart import CHART, documented
from dev.docs import metrics, site
from usher_bot.settings import Settings as BotSettings
from usher_operator.cli.main import app
from usher_operator.settings import ENV_PREFIX, Settings

PAGES = sorted([*site.DOCS.rglob("*.md"), site.ROOT / "README.md", site.ROOT / "CHANGELOG.md"])
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(site.ROOT)))

ROOMS = "bot_runtime|crds|dev|docs|helm|images|locks|manifests|models|operator|tests"
FILES = re.compile(rf"`((?:{ROOMS})/[\w./{{}},-]*)(?:::(\w+))?`")
DOC = re.compile(r"\bdocs/[\w/-]+\.md\b")
# Variables that no settings class reads.
OTHER_VARIABLES = {"USHER_CACHE", "USHER_LOCAL_CALLBACK_URL"}


def tracked(suffix: str = "") -> list[Path]:
    """The files of the repository, by their paths in it."""
    listed = subprocess.run(["git", "ls-files"], cwd=site.ROOT, capture_output=True, text=True, check=True).stdout
    paths = [Path(line) for line in listed.splitlines() if line.endswith(suffix)]
    return [path for path in paths if (site.ROOT / path).is_file()]


def text_of(path: Path) -> str:
    return (site.ROOT / path).read_text(errors="replace")


def found(pattern: str, page: Path) -> Iterator[str]:
    return (match[1] for match in re.finditer(pattern, page.read_text()))


@each_page
def test_a_file_that_is_named_exists(page: Path) -> None:
    for path, test in FILES.findall(page.read_text()):
        for real in spread(path):
            assert (site.ROOT / real).exists(), f"{real} does not exist"
            assert f"def {test}" in (site.ROOT / real).read_text() if test else True, f"{real} has no {test}"


def spread(path: str) -> list[str]:
    """The paths that `a/{b,c}` stands for."""
    before, brace, rest = path.partition("{")
    inner, _, after = rest.partition("}")
    return [f"{before}{one}{after}" for one in inner.split(",")] if brace else [path]


@each_page
def test_a_setting_that_is_named_exists(page: Path) -> None:
    known = {f"{ENV_PREFIX}{name.upper()}" for name in (*Settings.model_fields, *BotSettings.model_fields)}
    assert set(found(r"\b(USHER_[A-Z][A-Z0-9_]*)\b", page)) <= known | OTHER_VARIABLES


@each_page
def test_a_metric_that_is_named_exists(page: Path) -> None:
    known = {name for metric in metrics.metrics() for name in metrics.names(metric)}
    families = {family.name for metric in metrics.metrics() for family in metric.describe()}
    named = set(found(r"\b(usher_(?!operator|models|bot\b)[a-z_]+)", page))
    assert named <= known | families


@each_page
def test_a_target_of_make_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (site.ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(found(r"(?:^|`|\$ |    )make ([a-z][a-z0-9-]*)", page)) <= targets


@each_page
def test_a_command_of_usher_that_is_named_exists(page: Path) -> None:
    root = typer.main.get_group(app)
    for words in found(r"(?:-- |`|^|\$ )usher ((?:[a-z-]+ ?)+)", page):
        first, *rest = words.split()
        assert first in root.commands, f"there is no command usher {first}"
        inner = getattr(root.commands[first], "commands", None)
        assert inner is None or not rest or rest[0] in inner, f"there is no command usher {first} {rest[0]}"


@each_page
def test_a_value_of_the_chart_that_is_set_exists(page: Path) -> None:
    known = {path for path, _, _ in documented((CHART / "values.yaml").read_text())}
    for path in found(r"--set '?([a-zA-Z.]+)=", page):
        assert path in known, f"{path} is no value of the chart"


OUTSIDE = [path for path in tracked(".md") if path.parts[0] != "docs"]


@pytest.mark.parametrize("path", OUTSIDE, ids=str)
def test_a_link_of_a_page_outside_the_site_leads_to_a_file(path: Path) -> None:
    for target in found(r"\]\(([^)#:]+)(?:#[^)]*)?\)", site.ROOT / path):
        assert (site.ROOT / path).parent.joinpath(target).exists(), f"{target} does not exist"


def test_a_page_that_code_and_manifests_name_exists() -> None:
    named = {(path, name) for path in tracked() for name in DOC.findall(text_of(path))}
    assert [f"{path} names {name}" for path, name in sorted(named) if not (site.ROOT / name).exists()] == []
