"""The public CI does what make does: its workflows are valid, and name only targets that exist."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
GITHUB = REPOSITORY / ".github"
FORMS = GITHUB / "ISSUE_TEMPLATE"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^\.PHONY: (\S+)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
# What make runs: a workflow that calls one of these by itself tests something else than a developer does.
TOOLS = re.compile(r"\b(pytest|ruff|mypy|lint-imports|hatchling|buildah|mmdebstrap|uv|pip)\b(?! --version)")


def commands(workflow: Path) -> Iterator[str]:
    jobs: dict[str, dict[str, Any]] = yaml.safe_load(workflow.read_text())["jobs"]
    for step in (step for job in jobs.values() for step in job["steps"]):
        yield from str(step.get("run", "")).splitlines()


def hooks() -> Iterator[str]:
    page = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    return (hook["entry"] for group in page["repos"] for hook in group["hooks"])


def made(lines: Iterator[str]) -> set[str]:
    return {target for line in lines for target in re.findall(r"(?:^|[;&] *)make ([a-z0-9-]+)", line)}


@pytest.mark.parametrize(
    ("schema", "pages"),
    [
        ("github-workflows", WORKFLOWS),
        ("dependabot", [GITHUB / "dependabot.yml"]),
        ("github-issue-forms", [FORMS / "bug_report.yml", FORMS / "feature_request.yml"]),
        ("github-issue-config", [FORMS / "config.yml"]),
    ],
)
def test_the_forges_files_follow_its_schemas(schema: str, pages: list[Path]) -> None:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, pages)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_three_workflows_are_there() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "kind", "release"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_make_targets_that_exist(workflow: Path) -> None:
    called = made(commands(workflow))
    assert called
    assert called <= TARGETS


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_no_tool_that_make_calls(workflow: Path) -> None:
    assert [line for line in commands(workflow) if TOOLS.search(line)] == []


def test_the_hooks_before_a_commit_are_make_targets_that_exist() -> None:
    entries = list(hooks())
    assert made(iter(entries)) <= TARGETS
    assert all(entry.startswith("make ") for entry in entries)


def test_ci_runs_every_part_of_make_check() -> None:
    [check] = re.findall(r"^check: (.+?) ##", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert made(commands(GITHUB / "workflows" / "ci.yml")) >= set(check.split())


def test_ci_tests_every_python_that_the_package_claims() -> None:
    claimed = re.findall(r"Python :: (3\.\d+)", (REPOSITORY / "pyproject.toml").read_text())
    jobs = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text())["jobs"]
    assert jobs["check"]["strategy"]["matrix"]["python"] == claimed


def test_what_is_updated_by_a_bot_exists() -> None:
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"]
    folders = [folder for update in updates for folder in update.get("directories", [update.get("directory")])]
    assert [folder for folder in folders if not (REPOSITORY / folder.lstrip("/")).is_dir()] == []


def test_every_go_module_is_updated_by_a_bot() -> None:
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"]
    [listed] = [update["directories"] for update in updates if update["package-ecosystem"] == "gomod"]
    there = (path.parent for path in (REPOSITORY / "dev").rglob("go.mod"))
    assert sorted(listed) == sorted(f"/{path.relative_to(REPOSITORY)}" for path in there)


def test_every_owned_path_exists() -> None:
    lines = (GITHUB / "CODEOWNERS").read_text().splitlines()
    owned = [line.split()[0] for line in lines if line.startswith("/")]
    assert [path for path in owned if not (REPOSITORY / path.lstrip("/")).exists()] == []
