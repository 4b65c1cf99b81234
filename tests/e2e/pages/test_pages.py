"""No command of the pages that strangers read first fails when typed as printed, and each prints what they say."""

import re
from itertools import chain

import pytest

from dev.demo.kubectl import ROOT, environment
from dev.docs.commands import Typed, commands
from tests.e2e.kit import Cluster
from tests.e2e.pages.reader import Answer, type_all

pytestmark = pytest.mark.alone

# It would stop the cluster under the tests that follow.
NOT_TYPED = ("make down",)
GUIDES = ("use-the-rest-api", "users-and-keys", "debug-a-meeting", "rotate-secrets", "back-up-and-restore")
# The meeting that one guide looks at.
BEFORE = Typed(
    command="kubectl delete br --all"
    " && kubectl -n usher-system exec deploy/usher-serve -- usher user add ada@example.com"
    " && kubectl apply -f manifests/samples/botrequest.yaml && kubectl wait --for=condition=Joined br/standup"
)


def typeable(page: str) -> list[Typed]:
    found = commands(ROOT / f"docs/{page}.md")
    return [each for each in found if each.is_complete and each.command not in NOT_TYPED]


def the_same(line: str) -> str:
    """A line without what differs from one run to the next: numbers, times, keys, and the widths of columns."""
    return re.sub(r"[\s─━┃│┌└┏┗┳┻╇]+", " ", re.sub(r"\d+(?:[.:]\d+)*(?:[smhd]\d*)*", "0", line)).strip()


def check_printed(answer: Answer) -> None:
    printed = {the_same(line) for line in answer.output.splitlines()}
    missing = [line for line in answer.typed.prints if the_same(line) not in printed]
    assert not missing, f"`{answer.typed.command}` does not print {missing}, but:\n{answer.output}"


@pytest.mark.timeout(400, func_only=True)
def test_a_stranger_who_types_the_tutorial_sees_what_it_shows(cluster: Cluster) -> None:
    cluster.tidy_all()
    for answer in type_all(typeable("tutorial"), environment=environment(), folder=str(ROOT)):
        check_printed(answer)


@pytest.mark.timeout(500, func_only=True)
def test_the_commands_of_the_guides_can_be_typed_as_printed(cluster: Cluster) -> None:
    """One after another in one shell, because a guide uses what another one sets."""
    cluster.tidy_all()
    pages = [typeable(f"howto/{guide}") for guide in GUIDES]
    assert all(pages)
    try:
        type_all([BEFORE, *chain(*pages)], environment=environment(), folder=str(ROOT))
    finally:
        for workload in ("deployment/usher-operate", "deployment/usher-serve"):
            cluster.wait_until_ready(workload)
        cluster.kubectl("delete", "br", "standup", "--ignore-not-found")
        (ROOT / "usher.dump").unlink(missing_ok=True)
