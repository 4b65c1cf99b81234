"""No command of the pages that strangers read first fails when typed as printed, and each prints what they say."""

import re
from pathlib import Path

import pytest

from dev.demo.kubectl import ROOT, environment
from dev.docs.commands import Typed, commands
from tests.e2e.kit import Cluster
from tests.e2e.pages.reader import Answer, type_all

pytestmark = pytest.mark.alone

# It would stop the cluster under the tests that follow.
NOT_TYPED = ("make down",)


def typeable(page: Path) -> list[Typed]:
    return [each for each in commands(page) if each.is_complete and each.command not in NOT_TYPED]


def the_same(line: str) -> str:
    """A line without what differs from one run to the next: numbers, times, keys, and the widths of columns."""
    return re.sub(r"[\s─━┃│┌└┏┗┳┻╇]+", " ", re.sub(r"\d+(?:[.:]\d+)*", "0", line)).strip()


def check_printed(answer: Answer) -> None:
    printed = {the_same(line) for line in answer.output.splitlines()}
    missing = [line for line in answer.typed.prints if the_same(line) not in printed]
    assert not missing, f"`{answer.typed.command}` does not print {missing}, but:\n{answer.output}"


@pytest.mark.timeout(240, func_only=True)
@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_a_stranger_who_types_the_page_sees_what_it_shows(cluster: Cluster, page: str) -> None:
    cluster.tidy_all()
    for answer in type_all(typeable(ROOT / page), environment=environment(), folder=str(ROOT)):
        check_printed(answer)


@pytest.mark.timeout(240, func_only=True)
@pytest.mark.parametrize("guide", ["users-and-keys", "use-the-rest-api", "debug-a-meeting", "rotate-secrets"])
def test_the_commands_of_a_guide_can_be_typed_as_printed(cluster: Cluster, guide: str) -> None:
    page = typeable(ROOT / f"docs/howto/{guide}.md")
    assert page
    type_all(page, environment=environment(), folder=str(ROOT))
