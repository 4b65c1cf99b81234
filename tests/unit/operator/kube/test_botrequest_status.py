"""What a BotRequest shows: always the row, always with a reason and a sentence, always what its schema allows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.fakes.bots import RESERVED_AT, a_bot_row
from tests.fakes.settings import INSTALLATION
from usher_models.db.bots import Bot
from usher_models.db.history import LONGEST, PastTransition
from usher_models.errors import CapReached, DuplicateMeeting, InvalidMeeting, Refused, UnknownUser, UsherError
from usher_models.outcomes import Party
from usher_models.platforms import Platform
from usher_models.states import LIVE, REASON_PATTERN, TERMINAL, Reason, Source, Stage, Status
from usher_operator.kube.botrequest import ImageNotAllowed, InvalidRequest
from usher_operator.kube.botrequest_status import camel, refusal_of, status_of

NOW = datetime(2026, 1, 1, 13, 0, tzinfo=UTC)
SPEC = {"userId": 7, "platform": "zoom", "nativeMeetingId": "85123456789"}
KINDS = ["Accepted", "SlotReserved", "JobCreated", "Started", "Joined", "Finished"]


def at(minute: int) -> datetime:
    return RESERVED_AT + timedelta(minutes=minute)


def in_meeting(**fields: Any) -> Bot:
    past: dict[str, Any] = {"job_created_at": at(1), "started_at": at(2), "joined_at": at(3)}
    return a_bot_row(**past | {"status": Status.ACTIVE, "reason": "joined", "stage": "in_meeting"} | fields)


def over(status: Status = Status.COMPLETED, reason: str = "left", **fields: Any) -> Bot:
    past = {"status": status, "reason": reason, "message": "It is over.", "ended_at": at(9), "stage": None}
    return in_meeting(**past | fields)


def conditions(bot: Bot) -> dict[str, dict[str, Any]]:
    return {condition["type"]: condition for condition in status_of(bot, installation=INSTALLATION)["conditions"]}


def values(bot: Bot) -> dict[str, str]:
    return {kind: condition["status"] for kind, condition in conditions(bot).items()}


def without_null(status: dict[str, Any]) -> dict[str, Any]:
    """What is left of a status after the API server merged it: null removes a field."""
    return {key: value for key, value in status.items() if value is not None}


@st.composite
def bots(draw: st.DrawFn) -> Bot:
    """Rows as they may be; not every one of them can come about."""
    status = draw(st.sampled_from(Status))
    reason = draw(st.sampled_from(Reason) | st.from_regex(REASON_PATTERN.rstrip("$") + r"\Z"))
    times = st.none() | st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001
        lambda moment: moment.replace(tzinfo=UTC)
    )
    return a_bot_row(
        status=status,
        platform=draw(st.sampled_from(Platform)),
        reason=reason,
        message=draw(st.text(max_size=3000)),
        stage=draw(st.none() | st.sampled_from(Stage)),
        request_generation=draw(st.integers(0, 2**53 - 1)),
        job_created_at=draw(times),
        started_at=draw(times),
        joined_at=draw(times),
        ended_at=at(9) if status in TERMINAL else None,
    )


def histories() -> st.SearchStrategy[list[PastTransition]]:
    """As many lines as there may be; not every one of them can come about."""
    line = st.builds(
        PastTransition,
        at=st.just(RESERVED_AT),
        origin=st.none() | st.sampled_from(sorted(LIVE)),
        target=st.sampled_from(Status),
        source=st.sampled_from(Source),
        reason=st.sampled_from(Reason) | st.from_regex(REASON_PATTERN.rstrip("$") + r"\Z"),
        fault=st.none() | st.sampled_from(Party),
        seconds=st.none() | st.integers(0, 10**9),
    )
    return st.lists(line, max_size=LONGEST)


@pytest.fixture(scope="module")
def shape(schema: dict[str, Any]) -> Draft202012Validator:
    """What the definition allows as a status."""
    return Draft202012Validator(schema["properties"]["status"])


def test_a_simulated_bot_never_says_that_it_is_in_a_meeting() -> None:
    bot = in_meeting(config={"driver": "simulated"})
    status = status_of(bot, installation=INSTALLATION)
    assert status["driver"] == "simulated"
    assert "no real meeting was joined" in status["message"]
    assert conditions(bot)["Joined"] | {"lastTransitionTime": None} == {
        "type": "Joined",
        "status": "True",
        "reason": "SimulationJoined",
        "message": status["message"],
        "lastTransitionTime": None,
        "observedGeneration": 1,
    }
    assert conditions(in_meeting(config={"driver": "browser"}))["Joined"]["reason"] == "Joined"


@settings(max_examples=50)
@given(bot=bots())
def test_the_definition_allows_every_status_that_a_row_can_have(shape: Draft202012Validator, bot: Bot) -> None:
    assert [error.message for error in shape.iter_errors(without_null(status_of(bot, installation=INSTALLATION)))] == []


@settings(max_examples=50)
@given(history=histories())
def test_the_definition_allows_every_history_that_a_row_can_have(
    shape: Draft202012Validator, schema: dict[str, Any], history: list[PastTransition]
) -> None:
    status = without_null(status_of(a_bot_row(), installation=INSTALLATION, history=history))
    assert [error.message for error in shape.iter_errors(status)] == []
    defined = schema["properties"]["status"]["properties"]["history"]["items"]["properties"]
    assert all(line.keys() <= defined.keys() for line in status["history"])


def test_the_definition_holds_as_many_lines_of_history_as_are_written(schema: dict[str, Any]) -> None:
    assert schema["properties"]["status"]["properties"]["history"]["maxItems"] == LONGEST


def test_a_line_of_history_says_where_the_bot_was_how_long_and_why_it_moved() -> None:
    begun = PastTransition(
        at=at(0), origin=None, target="reserved", source="api", reason="requested", fault=None, seconds=None
    )
    lost = PastTransition(
        at=at(9),
        origin="active",
        target="failed",
        source="reconciler",
        reason="heartbeat_lost",
        fault="bot",
        seconds=360,
    )
    shown = status_of(over(Status.FAILED), installation=INSTALLATION, history=[begun, lost])["history"]
    assert shown == [
        {"at": "2026-01-01T12:00:00Z", "to": "reserved", "source": "api", "reason": "Requested"},
        {
            "at": "2026-01-01T12:09:00Z",
            "from": "active",
            "to": "failed",
            "seconds": 360,
            "source": "reconciler",
            "reason": "HeartbeatLost",
            "fault": "bot",
        },
    ]


@settings(max_examples=50)
@given(bot=bots())
def test_every_field_that_is_shown_is_defined_and_would_not_be_pruned(schema: dict[str, Any], bot: Bot) -> None:
    status = schema["properties"]["status"]["properties"]
    assert status_of(bot, installation=INSTALLATION).keys() <= status.keys()
    for condition in status_of(bot, installation=INSTALLATION)["conditions"]:
        assert condition.keys() <= status["conditions"]["items"]["properties"].keys()


@settings(max_examples=50)
@given(bot=bots())
def test_every_condition_has_a_reason_and_a_sentence(bot: Bot) -> None:
    for kind, condition in conditions(bot).items():
        assert condition["reason"], kind
        assert condition["message"] or not bot.message, kind


def test_a_reservation_holds_a_slot_and_waits_for_its_job() -> None:
    bot = a_bot_row()
    assert list(conditions(bot)) == KINDS
    assert values(bot) == dict(zip(KINDS, ["True", "True", "False", "False", "False", "False"], strict=True))
    assert conditions(bot)["JobCreated"]["reason"] == "Pending"


def test_a_bot_in_its_meeting_has_a_job_and_has_joined() -> None:
    bot = in_meeting()
    assert values(bot) == dict(zip(KINDS, ["True", "True", "True", "True", "True", "False"], strict=True))
    assert conditions(bot)["Joined"]["lastTransitionTime"] == "2026-01-01T12:03:00Z"


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(Status.COMPLETED, "Completed: It is over."), (Status.FAILED, "Failed: It is over.")],
)
def test_an_ended_bot_is_finished_and_its_slot_is_free(status: Status, sentence: str) -> None:
    bot = over(status, reason="heartbeat_lost")
    assert values(bot)["SlotReserved"] == "False"
    finished = conditions(bot)["Finished"]
    assert (finished["status"], finished["reason"], finished["message"]) == ("True", "HeartbeatLost", sentence)
    assert status_of(bot, installation=INSTALLATION)["endTime"] == "2026-01-01T12:09:00Z"


def test_a_bot_that_never_joined_says_why_it_did_not() -> None:
    joined = conditions(over(Status.FAILED, reason="never_joined", joined_at=None))["Joined"]
    assert (joined["status"], joined["reason"], joined["message"]) == ("False", "NeverJoined", "It is over.")


def test_a_bot_that_takes_long_to_join_says_what_it_waits_for() -> None:
    started = {"status": Status.STARTING, "started_at": at(2), "reason": "started"}
    joined = conditions(a_bot_row(**started, message="The bot's process runs."))["Joined"]
    assert (joined["reason"], joined["message"]) == ("NotYet", "The bot has not joined the meeting yet.")
    joined = conditions(a_bot_row(**started, message="It has sent no callback."))["Joined"]
    assert (joined["reason"], joined["message"]) == ("NotYet", "It has sent no callback.")


def test_a_job_that_was_refused_says_why_there_is_none() -> None:
    created = conditions(over(Status.FAILED, reason="job_create_failed", job_created_at=None))["JobCreated"]
    assert (created["status"], created["reason"]) == ("False", "JobCreateFailed")


def test_the_status_is_the_row() -> None:
    status = status_of(in_meeting(request_generation=4), installation=INSTALLATION)
    assert (status["phase"], status["stage"], status["meetingId"]) == ("active", "in_meeting", 1)
    assert (status["jobName"], status["connectionId"], status["userId"]) == ("bot-1", "connection-1", 7)
    assert (status["observedGeneration"], status["startTime"]) == (4, "2026-01-01T12:02:00Z")
    assert {condition["observedGeneration"] for condition in status["conditions"]} == {4}


def test_what_is_over_is_taken_back_with_null() -> None:
    assert status_of(over(), installation=INSTALLATION)["stage"] is None


def test_a_long_message_is_cut() -> None:
    bot = over(message="x" * 5000)
    assert len(status_of(bot, installation=INSTALLATION)["message"]) == 1024
    assert max(len(condition["message"]) for condition in conditions(bot).values()) == 1024


REFUSALS = [
    UnknownUser("No user has the id 7."),
    CapReached(limit=2, used=2),
    DuplicateMeeting(meeting_id=3),
    InvalidMeeting("'x' is not a zoom meeting id."),
    InvalidRequest("spec.userId: wrong."),
    ImageNotAllowed("spec.image x is not allowed here."),
]


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: error.code)
def test_a_refusal_is_shown_with_its_reason_and_sentence(shape: Draft202012Validator, error: Refused) -> None:
    status = refusal_of(error, spec=SPEC, generation=3, now=NOW, installation=INSTALLATION)
    assert (status["phase"], status["reason"], status["message"]) == ("refused", camel(error.code), str(error))
    shown = {condition["type"]: condition for condition in status["conditions"]}
    assert shown["Accepted"]["status"] == shown["SlotReserved"]["status"] == "False"
    assert shown["Accepted"]["observedGeneration"] == 3
    assert {key: status[key] for key in SPEC} == SPEC
    shape.validate(without_null(status))


def test_a_long_refusal_is_cut() -> None:
    assert (
        len(refusal_of(UsherError("x" * 5000), spec=SPEC, generation=1, now=NOW, installation=INSTALLATION)["message"])
        == 1024
    )


def test_a_reason_is_spelt_as_kubernetes_spells_it() -> None:
    assert [camel(word) for word in ("heartbeat_lost", "exit_code_137", "left")] == [
        "HeartbeatLost",
        "ExitCode137",
        "Left",
    ]
