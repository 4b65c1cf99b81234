"""What a run found, for people on the terminal, as Markdown and as JSON."""

import json
from dataclasses import dataclass
from pathlib import Path

from usher_bot.conformance.requirements import Result, Verdict

WIDTH = 24


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A verdict, the case that came to it, and the bot's last lines in that case."""

    case: str
    verdict: Verdict
    last_lines: str

    @property
    def is_kept(self) -> bool:
        return self.verdict.result is Result.KEPT


def as_text(findings: list[Finding]) -> str:
    """A line for each requirement, an explanation for each that is not kept, and the sum."""
    return "\n".join([*(_lines(each) for each in findings), "", _sum(findings)])


def _lines(finding: Finding) -> str:
    verdict = finding.verdict
    line = f"{verdict.result.upper():<12} {verdict.requirement.name:<{WIDTH}} {verdict.requirement.rule}"
    if finding.is_kept:
        return line
    said = "".join(f"\n{'':<13}| {each}" for each in finding.last_lines.splitlines()[-5:])
    return f"{line}\n{'':<13}{verdict.seen}\n{'':<13}Otherwise: {verdict.requirement.otherwise}{said}"


def _sum(findings: list[Finding]) -> str:
    kept = sum(each.is_kept for each in findings)
    return f"{kept} of {len(findings)} requirements are kept."


def as_json(findings: list[Finding], *, command: list[str]) -> str:
    """The same for programs."""
    return json.dumps(
        {
            "command": command,
            "conforms": all(each.is_kept for each in findings),
            "requirements": [
                {
                    "name": each.verdict.requirement.name,
                    "rule": each.verdict.requirement.rule,
                    "case": each.case,
                    "result": each.verdict.result,
                    "seen": each.verdict.seen,
                }
                for each in findings
            ],
        },
        indent=2,
    )


def as_markdown(findings: list[Finding], *, command: list[str]) -> str:
    """The same as a page."""
    rows = [
        f"| {each.verdict.requirement.rule} | {each.case} | {each.verdict.result} | {_cell(each.verdict.seen)} |"
        for each in findings
    ]
    head = ["| requirement | in this case | result | seen |", "|---|---|---|---|"]
    return "\n".join([f"# Conformance of `{' '.join(command)}`", "", _sum(findings), "", *head, *rows, ""])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def write(path: Path, findings: list[Finding], *, command: list[str]) -> None:
    """Write the report; the file's suffix decides its form. Raises OSError."""
    form = as_json if path.suffix == ".json" else as_markdown
    path.write_text(form(findings, command=command))
