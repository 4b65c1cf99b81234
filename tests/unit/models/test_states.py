"""The state machine, walked at random: it ends, and never leaves its end."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from usher_models.states import (
    HOLDS_SLOT,
    LEGACY_LIVE,
    LIVE,
    MOVES,
    REASON_PATTERN,
    SENTENCES,
    TERMINAL,
    Reason,
    Source,
    Status,
    exit_code_reason,
    is_behind,
    is_legal,
    legal_origins,
    sentence,
)

SOURCES = st.sampled_from(Source)
STATUSES = st.sampled_from(Status)


class AnyLife(RuleBasedStateMachine):
    """Anybody asks for any move at any time; the table decides."""

    def __init__(self) -> None:
        super().__init__()
        self.story = [Status.RESERVED]

    @property
    def status(self) -> Status:
        return self.story[-1]

    @rule(target_status=STATUSES, source=SOURCES)
    def somebody_asks(self, target_status: Status, source: Source) -> None:
        if is_legal(self.status, target_status, source=source):
            self.story.append(target_status)

    @precondition(lambda self: self.status in LIVE)
    @rule(end=st.sampled_from(sorted(TERMINAL)))
    def the_bot_exits(self, end: Status) -> None:
        assert is_legal(self.status, end, source=Source.BOT)
        self.story.append(end)

    @precondition(lambda self: self.status in LIVE)
    @rule()
    def it_fell_silent(self) -> None:
        assert is_legal(self.status, Status.FAILED, source=Source.RECONCILER)
        self.story.append(Status.FAILED)

    @invariant()
    def nothing_follows_a_terminal_status(self) -> None:
        assert not TERMINAL.intersection(self.story[:-1])

    @invariant()
    def no_status_comes_twice(self) -> None:
        assert len(set(self.story)) == len(self.story)

    @invariant()
    def a_life_only_goes_forward(self) -> None:
        live = [status for status in self.story if status in LIVE]
        assert live == sorted(live, key=list(Status).index)


TestAnyLife = AnyLife.TestCase
# A life has six statuses: twelve steps reach every end of it.
TestAnyLife.settings = settings(max_examples=60, stateful_step_count=12)


def test_no_move_leaves_a_terminal_status() -> None:
    assert not [move for move in MOVES if move.origins & TERMINAL]


def test_no_move_leads_back_to_reserved_or_to_where_it_begins() -> None:
    assert not [move for move in MOVES if move.target is Status.RESERVED or move.target in move.origins]


def test_each_source_has_one_row_per_target() -> None:
    keys = [(move.target, move.source) for move in MOVES]
    assert len(set(keys)) == len(keys)


def test_every_live_status_has_a_way_out_for_the_bot_and_for_silence() -> None:
    assert legal_origins(Status.COMPLETED, Source.BOT) == LIVE
    assert legal_origins(Status.FAILED, Source.BOT) == LIVE
    assert legal_origins(Status.FAILED, Source.RECONCILER) == LIVE


def test_only_the_bot_moves_a_meeting_without_ending_it() -> None:
    assert {move.source for move in MOVES if move.target in LIVE} == {Source.BOT}


@pytest.mark.parametrize("source", [Source.API, Source.OPERATOR])
def test_whoever_starts_bots_ends_only_what_never_ran(source: Source) -> None:
    assert {origin for move in MOVES if move.source is source for origin in move.origins} == {Status.RESERVED}


def test_a_silent_bot_is_never_completed() -> None:
    assert not legal_origins(Status.COMPLETED, Source.RECONCILER)


def test_evidence_completes_only_who_was_in_the_meeting() -> None:
    assert legal_origins(Status.COMPLETED, Source.EVIDENCE) == {Status.ACTIVE, Status.STOPPING}


def test_what_is_not_in_the_table_is_illegal() -> None:
    legal = {(origin, move.target, move.source) for move in MOVES for origin in move.origins}
    for origin, target, source in itertools.product(Status, Status, Source):
        assert is_legal(origin, target, source=source) == ((origin, target, source) in legal)


def test_live_and_terminal_are_all_there_is() -> None:
    assert set(Status) == LIVE | TERMINAL
    assert not LIVE & TERMINAL


def test_every_live_status_holds_a_slot_and_no_terminal_one_does() -> None:
    assert {str(status) for status in LIVE} | LEGACY_LIVE == HOLDS_SLOT
    assert not HOLDS_SLOT & {str(status) for status in TERMINAL}
    assert not LEGACY_LIVE & set(Status)


@pytest.mark.parametrize(
    ("reported", "actual", "behind"),
    [
        (Status.STARTING, Status.RESERVED, False),
        (Status.STARTING, Status.STARTING, True),
        (Status.STARTING, Status.ACTIVE, True),
        (Status.ACTIVE, Status.STARTING, False),
        (Status.ACTIVE, Status.STOPPING, True),
        (Status.STOPPING, Status.ACTIVE, False),
        (Status.COMPLETED, Status.STOPPING, False),
        (Status.ACTIVE, Status.FAILED, False),
    ],
)
def test_old_news_are_known_as_such(reported: Status, actual: Status, behind: bool) -> None:
    assert is_behind(reported, actual) is behind


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_and_a_fitting_name(reason: Reason) -> None:
    assert re.fullmatch(r"[A-Z].+\.", SENTENCES[reason])
    assert re.match(REASON_PATTERN, reason)
    assert sentence(reason) == SENTENCES[reason]


def test_no_two_reasons_share_a_sentence() -> None:
    assert len(set(SENTENCES.values())) == len(Reason)


@given(st.integers(min_value=-1, max_value=255).filter(lambda code: code >= 0))
def test_an_exit_code_is_a_reason_and_has_a_sentence(code: int) -> None:
    assert re.match(REASON_PATTERN, exit_code_reason(code))
    assert sentence(exit_code_reason(code)) == f"The bot's process ended with exit code {code}."


@given(st.from_regex(REASON_PATTERN, fullmatch=True))
def test_a_bots_own_reason_has_a_sentence_too(reason: str) -> None:
    assert sentence(reason).endswith(".")
    assert "_" not in sentence(reason)
