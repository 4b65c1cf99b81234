"""The report says what was seen, in each of its forms."""

import json
from pathlib import Path

from usher_bot.conformance import report, requirements
from usher_bot.conformance.cases import CASES
from usher_bot.conformance.report import Finding
from usher_bot.conformance.requirements import Requirement, Result, Verdict

COMMAND = ["node", "bot.js"]


def finding(requirement: Requirement, result: Result, *, seen: str = "") -> Finding:
    verdict = Verdict(requirement=requirement, result=result, seen=seen)
    return Finding(case="a whole life", verdict=verdict, last_lines="booting\ncrashed | badly")


KEPT = finding(requirements.STARTED, Result.KEPT)
BROKEN = finding(requirements.JOINED, Result.BROKEN, seen="It did not report | `joined`.")


def test_a_broken_requirement_is_explained_with_what_it_leads_to_and_the_bots_last_lines() -> None:
    text = report.as_text([KEPT, BROKEN])
    assert "PASS         started" in text
    assert "FAIL         joined" in text
    assert "It did not report" in text
    assert f"Otherwise: {requirements.JOINED.otherwise}" in text
    assert "| booting" in text
    assert text.endswith("1 of 2 requirements are kept.")


def test_a_program_reads_whether_the_bot_conforms(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    report.write(path, [KEPT, BROKEN], command=COMMAND)
    read = json.loads(path.read_text())
    assert (read["command"], read["conforms"]) == (COMMAND, False)
    assert [each["result"] for each in read["requirements"]] == ["pass", "fail"]
    report.write(path, [KEPT], command=COMMAND)
    assert json.loads(path.read_text())["conforms"]


def test_a_page_keeps_its_table_whatever_a_bot_wrote(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    report.write(path, [BROKEN], command=COMMAND)
    assert path.read_text().splitlines()[-1].count(" | ") == 3


def test_each_requirement_is_shown_by_one_case() -> None:
    known = [each for each in vars(requirements).values() if isinstance(each, Requirement)]
    shown = [each for case in CASES for each in case.requirements]
    assert sorted(each.name for each in shown) == sorted(each.name for each in known)
