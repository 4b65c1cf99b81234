"""The output of the bot's program: all of it is copied, and its last lines are kept."""

import os

import pytest

from usher_bot.drivers.exec.output import KEPT_BYTES, TAIL_LENGTH, TAIL_LINES, Output
from usher_bot.redaction import Redactor

SECRET = "a-secret-of-the-bot"


@pytest.fixture
def output() -> Output:
    return Output(redactor=Redactor([SECRET]))


def say(descriptor: int, text: str, *, ends: bool = True) -> None:
    os.write(descriptor, text.encode())
    if ends:
        os.close(descriptor)


async def test_what_the_loop_has_not_read_yet_is_in_the_tail(output: Output, capfd: pytest.CaptureFixture[str]) -> None:
    out, err = output.open()
    say(err, "second\n", ends=False)
    say(out, "first\n", ends=False)
    assert output.tail() == "first\nsecond"
    say(out, "third\n")
    say(err, "")
    assert output.tail() == "first\nthird\nsecond"
    output.close()
    assert capfd.readouterr() == ("first\nthird\n", "second\n")


async def test_what_is_left_is_copied_when_it_is_closed(output: Output, capfd: pytest.CaptureFixture[str]) -> None:
    out, err = output.open()
    say(out, "left\n")
    output.close()
    assert capfd.readouterr().out == "left\n"
    with pytest.raises(BrokenPipeError):
        os.write(err, b"nobody reads")
    os.close(err)
    assert output.tail() == "left"


async def test_a_program_that_says_nothing_has_no_tail(output: Output) -> None:
    for descriptor in output.open():
        say(descriptor, " \n\n")
    assert output.tail() is None


async def test_the_tail_is_the_last_lines_of_each_stream(output: Output) -> None:
    out, err = output.open()
    say(out, "".join(f"out {number}\n" for number in range(20)))
    say(err, "".join(f"err {number}\n\n" for number in range(20)))
    kept = [f"{name} {number}" for name in ("out", "err") for number in range(20 - TAIL_LINES, 20)]
    assert (output.tail() or "").splitlines() == kept


async def test_the_tail_is_bounded_and_has_no_secret(output: Output) -> None:
    out, err = output.open()
    say(out, "y" * 30_000 + f"{SECRET}" + "z" * (TAIL_LENGTH - 3))
    os.close(err)
    assert output.tail() == "***" + "z" * (TAIL_LENGTH - 3)


async def test_no_more_is_kept_than_the_bound(output: Output) -> None:
    out, err = output.open()
    os.close(err)
    for _ in range(4):
        say(out, "x" * 10_000, ends=False)
        output.tail()
    os.close(out)
    assert [len(kept) for kept in output._kept.values()] == [KEPT_BYTES, 0]
