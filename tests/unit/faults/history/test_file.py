"""A history is written as things happen, and a file that is not a whole one is never taken for a clean one."""

import json
from contextlib import suppress
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import cast

import pytest

from tests.faults.figures import Figure
from tests.faults.history import __main__ as command
from tests.faults.history import report
from tests.faults.history.actors.bots import BotObserver
from tests.faults.history.check import Verdict
from tests.faults.history.format import NoHistory, Outcome, Record, lines, operations, write
from tests.faults.history.generate import generate
from tests.faults.history.recorder import Recorder, SecretRecorded, outcome_of
from tests.load.botswarm.bot import Bot, Call, Fleet, Identity, Script
from tests.load.botswarm.connections import Response

HEADER: Record = {"history": 1, "at": 0, "wall": 0}
END: Record = {"at": 9, "wall": 9, "end": True}


def a_recorder() -> tuple[Recorder, BytesIO]:
    file, clock = BytesIO(), count(1)
    return Recorder(file, clock=lambda: float(next(clock)), wall=lambda: 1000.0), file


def written(file: BytesIO) -> list[Record]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_an_operation_is_two_lines_with_both_clocks() -> None:
    recorder, file = a_recorder()
    recorder.answer(recorder.invoke("person 3", "ask", user=3), Outcome.OK, meeting=17)
    assert written(file) == [
        {"at": 1, "wall": 1000, "op": 1, "actor": "person 3", "invoke": "ask", "args": {"user": 3}},
        {"at": 2, "wall": 1000, "op": 1, "return": "ok", "got": {"meeting": 17}},
    ]


@pytest.mark.parametrize("name", ["key", "token", "authorization", "passcode"])
def test_a_secret_is_refused(name: str) -> None:
    recorder, file = a_recorder()
    with pytest.raises(SecretRecorded, match=name):
        recorder.invoke("person 3", "ask", **{name: "s3cret"})
    assert file.getvalue() == b""


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(200, "ok"), (201, "ok"), (404, "refused"), (429, "refused"), (500, "unknown"), (503, "unknown"), (0, "unknown")],
)
def test_only_an_answer_that_stands_is_an_outcome(code: int, outcome: str) -> None:
    assert outcome_of(code) == outcome


def test_a_recording_that_broke_off_is_no_history(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    with suppress(ZeroDivisionError), Recorder.recording(file, run="soak", seed=1):
        raise ZeroDivisionError
    with pytest.raises(NoHistory, match="has no end"):
        list(operations(lines(file)))


def test_a_whole_recording_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    with Recorder.recording(file, run="soak", seed=1) as recorder:
        recorder.invoke("person 1", "ask", user=1)
        recorder.see("setup", "user", user=1, cap=1)
    seen, asked = operations(lines(file))
    assert (seen.what, seen.outcome, seen.got) == ("user", "ok", {"user": 1, "cap": 1})
    assert (asked.what, asked.outcome, asked.got) == ("ask", "unknown", None)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ([], "first line"),
        ([HEADER], "has no end"),
        ([HEADER | {"history": 2}, END], "first line"),
        ([HEADER, END, END], "after the end"),
        ([HEADER, {"at": 2, "wall": 2, "actor": "a", "see": "user", "got": {}}, END | {"at": 1}], "clock goes back"),
        ([HEADER, {"at": 1, "wall": 1, "op": 1, "return": "ok", "got": {}}, END], "was not invoked"),
    ],
)
def test_a_file_that_is_no_whole_history_is_refused_with_the_reason(broken: list[Record], why: str) -> None:
    with pytest.raises(NoHistory, match=why):
        list(operations(broken))


def test_a_bots_callback_is_kept_without_its_token() -> None:
    recorder, file = a_recorder()
    bot = Bot(Identity(connection_id="c1", namespace="n", job_name="bot-1"), Script(), cast(Fleet, None))
    bot.token = "s3cret"
    body = b'{"connection_id":"c1","event_id":"e1","seq":1,"status":"stopping"}'
    call = Call(
        kind="status",
        body=body,
        wanted_at=0,
        horizon_s=1,
        longest_wait_s=1,
        answered=lambda _: None,
        given_up=lambda: None,
    )
    observer = BotObserver(recorder)
    observer.answered(
        observer.asked(bot, call), Response(200, b'{"meeting_id":7,"new_status":"active","applied":true}')
    )
    observer.answered(observer.asked(bot, call), None)
    observer.answered(observer.asked(bot, call), Response(410, b"{}"))
    answers = [line for line in written(file) if "return" in line]
    assert [line["return"] for line in answers] == ["ok", "unknown", "refused"]
    assert answers[0]["got"] == {"code": 200, "meeting": 7, "status": "active", "applied": True}
    assert b"s3cret" not in file.getvalue()


def broken(figures: list[Figure]) -> list[str]:
    return [figure.name for figure in figures if not figure.ok]


def test_a_checker_that_looked_at_nothing_fails(tmp_path: Path) -> None:
    said: list[str] = []
    nowhere = tmp_path / "nowhere.jsonl"
    figures = report.figures_of_file(nowhere, least=1, tell=said.append)
    assert broken(figures) == ["history: operations", "history: rules that looked at something"]
    assert any("cannot be read" in sentence for sentence in said)


def test_a_run_in_which_one_rule_had_nothing_to_look_at_fails() -> None:
    quiet = [line for line in generate(1, operations=300) if line.get("invoke") != "get" and not is_get(line)]
    verdict = report.judged(quiet)
    assert verdict.idle == ["201 then GET"]
    assert broken(report.figures(verdict, least=1)) == ["history: rules that looked at something"]


def is_get(line: Record) -> bool:
    return "return" in line and "reason" in line["got"]


def test_too_few_operations_fail() -> None:
    verdict = report.judged(list(generate(1, operations=300)))
    assert broken(report.figures(verdict, least=verdict.operations + 1)) == ["history: operations"]
    assert broken(report.figures(Verdict(), least=0)) == ["history: rules that looked at something"]


def test_the_command_says_what_it_checked_and_how_fast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path / "history.jsonl"), "--generate", "300"]) == 0
    said = capsys.readouterr().out
    assert "s of CPU" in said
    assert "cap: 0 anomalies in" in said


def test_the_command_exits_with_1_and_a_sentence_for_each_anomaly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "history.jsonl"
    write(
        file, (line for line in generate(1, operations=300) if line.get("see") != "webhook" or line["got"]["seq"] != 3)
    )
    assert command.main([str(file)]) == 1
    assert "No webhook announced change 3 of meeting" in capsys.readouterr().out


def test_the_command_exits_with_2_for_what_is_no_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text('{"history": 1}\n')
    assert command.main([str(file)]) == 2
    assert "has no end" in capsys.readouterr().err
