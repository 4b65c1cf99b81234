"""A correct history passes every rule, and each planted fault is found by the rule that it is a fault of."""

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.history.format import Record
from tests.faults.history.generate import Shape, generate
from tests.faults.history.report import judged

OPERATIONS = 700
MS_US = 1_000


def a_history(seed: int = 1, *, least: int = OPERATIONS, **shape: int) -> list[Record]:
    """The lines of a correct one, to be changed."""
    return copy.deepcopy(list(generate(seed, operations=least, shape=Shape(**shape))))


def found(lines: list[Record]) -> dict[str, list[str]]:
    """What each rule found, without those that found nothing."""
    return {rule.name: rule.findings for rule in judged(lines).judged if rule.findings}


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    users=st.integers(1, 6),
    cap=st.integers(1, 4),
    rooms=st.integers(1, 5),
    rate=st.sampled_from([1.0, 8.0, 40.0]),
)
def test_a_correct_history_passes_every_rule(seed: int, users: int, cap: int, rooms: int, rate: float) -> None:
    shape = Shape(users=users, cap=cap, rooms=rooms, asks_per_s=rate, heartbeats=5)
    assert judged(generate(seed, operations=400, shape=shape)).findings == []


def test_the_history_in_which_faults_are_planted_has_none_before() -> None:
    for lines in (a_history(), a_history(cap=1, users=4)):
        assert found(lines) == {}
        assert judged(lines).idle == []


def test_the_same_seed_is_the_same_history_and_another_is_another() -> None:
    assert a_history(1) == a_history(1)
    assert a_history(1) != a_history(2)


# Where to plant.


def told(lines: list[Record], what: str, **fields: Any) -> Iterator[Record]:
    """What was seen or answered, with those fields; `args` of an operation are among them."""
    invoked = {line["op"]: line for line in lines if "invoke" in line}
    for line in lines:
        asked = invoked.get(line.get("op", 0), {})
        kind = line.get("see") or asked.get("invoke")
        if kind == what and "got" in line and fields.items() <= (asked.get("args", {}) | line["got"]).items():
            yield line


def trail(lines: list[Record], meeting: int) -> list[Record]:
    """What the trail says of a meeting."""
    return [line["got"] for line in told(lines, "audit", meeting=meeting)]


def drop(lines: list[Record], unwanted: Callable[[Record], bool]) -> None:
    lines[:] = [line for line in lines if not unwanted(line)]


def in_trail(line: Record, meeting: int) -> bool:
    return line.get("see") == "audit" and line["got"]["meeting"] == meeting


def insert(lines: list[Record], line: Record) -> None:
    """Put a line where its time says."""
    lines.append(line)
    header, *others = lines
    end = next(one for one in others if "end" in one)
    others.remove(end)
    lines[:] = [header, *sorted(others, key=lambda one: one["at"]), end]


def an_active_get(lines: list[Record]) -> Record:
    """The answer of a GET that came long after the bot had joined."""
    for line in told(lines, "get", status="active"):
        begun = next(one["at"] for one in lines if one.get("op") == line["op"])
        joined = [one["at"] for one in told(lines, "callback", kind="joined", meeting=line["got"]["meeting"])]
        if joined and min(joined) < begun:
            return line
    raise AssertionError("no such GET")


def a_repeated_delivery(lines: list[Record]) -> Record:
    seen: set[str] = set()
    for line in told(lines, "webhook"):
        if line["got"]["event"] in seen:
            return line
        seen.add(line["got"]["event"])
    raise AssertionError("no such delivery")


# The faults.


def a_dropped_commit(lines: list[Record]) -> None:
    """`active` is lost from the trail, and what follows was written as if it had never been."""
    meeting = next(told(lines, "callback", kind="joined", applied=True))["got"]["meeting"]
    drop(lines, lambda line: in_trail(line, meeting) and line["got"]["to"] == "active")
    for number, step in enumerate(trail(lines, meeting), start=1):
        step["seq"] = number
        step["from"] = "starting" if step["from"] == "active" else step["from"]


def a_lost_reservation(lines: list[Record]) -> None:
    """A 201 was given for a commit that is gone, and the bot's whole trail with it."""
    meeting = next(told(lines, "ask", code=201))["got"]["meeting"]
    drop(lines, lambda line: in_trail(line, meeting))


def a_repeated_id(lines: list[Record]) -> None:
    """The sequence went back: a second request gets the id of the first."""
    first, second = [line["got"] for line in told(lines, "ask", code=201, replayed=False)][:2]
    second["meeting"] = first["meeting"]


def a_skipped_webhook(lines: list[Record]) -> None:
    event = next(told(lines, "webhook", to="active"))["got"]["event"]
    drop(lines, lambda line: line.get("see") == "webhook" and line["got"]["event"] == event)


def an_overlap_of_1_ms(lines: list[Record]) -> None:
    """By the trail, a slot was taken 1 ms before the one it needed was free."""
    for end in (step for step in told(lines, "audit") if step["got"]["to"] in ("completed", "failed")):
        for begin in told(lines, "audit", user=end["got"]["user"], to="reserved"):
            other_room = begin["got"]["native_id"] != end["got"]["native_id"]
            if other_room and end["got"]["at"] < begin["got"]["at"]:
                begin["got"]["at"] = end["got"]["at"] - MS_US
                return


def two_bots_in_one_room(lines: list[Record]) -> None:
    """Two meetings of a user that go on at the same time are in the same room, whoever names them."""
    one, other = overlapping(lines)
    for line in lines:
        for fields in (line.get("args", {}), line.get("got", {})):
            if fields.get("native_id") == other:
                fields["native_id"] = one


def overlapping(lines: list[Record]) -> tuple[str, str]:
    """Two rooms of one user in which bots are at the same time."""
    spans = {}
    for line in told(lines, "audit", to="reserved"):
        got = line["got"]
        spans[got["meeting"]] = (got["user"], got["at"], trail(lines, got["meeting"])[-1]["at"], got["native_id"])
    for user, begin, end, room in spans.values():
        for other_user, other_begin, _, other_room in spans.values():
            if user == other_user and room != other_room and begin < other_begin < end - 1_000_000:
                return room, other_room
    raise AssertionError("no two at once")


def a_status_that_goes_back(lines: list[Record]) -> None:
    answer = an_active_get(lines)
    answer["got"] |= {"status": "reserved", "reason": "requested"}


def a_trail_that_goes_back(lines: list[Record]) -> None:
    """`stopping`, and then `active` again. Nobody was told."""
    meeting = next(told(lines, "audit", to="stopping"))["got"]["meeting"]
    stopping, end = trail(lines, meeting)[-2:]
    back = end | {"seq": 5, "from": "stopping", "to": "active", "at": end["at"] - 1, "event": "again"}
    end |= {"seq": 6, "from": "active"}
    insert(lines, next(told(lines, "audit", meeting=meeting, to="stopping")) | {"got": back})
    assert stopping["seq"] == 4


def another_end(lines: list[Record]) -> None:
    """Who asks again after the end is told another one."""
    answer = next(told(lines, "get", status="completed"))
    answer["got"] |= {"status": "failed", "reason": "heartbeat_lost"}


def a_life_after_the_end(lines: list[Record]) -> None:
    answer = next(told(lines, "get", status="completed"))
    answer["got"] |= {"status": "stopping", "reason": "leaving"}


def a_trail_after_the_end(lines: list[Record]) -> None:
    last = next(told(lines, "audit", to="completed"))
    more = {"seq": last["got"]["seq"] + 1, "from": "completed", "to": "failed", "event": None}
    insert(lines, last | {"got": last["got"] | more})


def a_promise_that_is_not_found(lines: list[Record]) -> None:
    answer = an_active_get(lines)
    promised = {line["got"]["meeting"] for line in told(lines, "ask", code=201)}
    if answer["got"]["meeting"] not in promised:
        answer = next(line for line in told(lines, "get", status="active") if line["got"]["meeting"] in promised)
    answer |= {"return": "refused", "got": {"code": 404}}


def a_row_nobody_observed(lines: list[Record]) -> None:
    """A bot's move that no bot reported."""
    step = next(line for line in told(lines, "audit", to="stopping") if line["got"]["source"] == "bot")
    sent = step["got"]["event"]
    drop(lines, lambda line: line.get("invoke") == "callback" and line["args"]["event"] == sent)
    numbers = {line["op"] for line in lines if "invoke" in line}
    drop(lines, lambda line: "return" in line and line["op"] not in numbers)


def a_change_that_is_not_in_the_trail(lines: list[Record]) -> None:
    """A sweep's verdict that was seen, and of which no row is left."""
    meeting = next(told(lines, "audit", source="reconciler"))["got"]["meeting"]
    drop(lines, lambda line: in_trail(line, meeting) and line["got"]["source"] == "reconciler")


def a_webhook_id_for_two_changes(lines: list[Record]) -> None:
    first, second = [line["got"] for line in told(lines, "webhook", type="meeting.status_change")][:2]
    old = second["event"]
    for line in told(lines, "webhook", event=old):
        line["got"]["event"] = first["event"]


def a_redelivery_with_other_bytes(lines: list[Record]) -> None:
    a_repeated_delivery(lines)["got"]["sha256"] = "other"


def a_change_under_two_ids(lines: list[Record]) -> None:
    a_repeated_delivery(lines)["got"]["event"] = "evt_another"


def a_webhook_of_nothing(lines: list[Record]) -> None:
    line = next(told(lines, "webhook", to="active"))
    insert(lines, line | {"got": line["got"] | {"event": "evt_nothing", "seq": 17}})


def a_second_pod(lines: list[Record]) -> None:
    """It came while the first one was there, and they ended one after the other."""
    first, last = [line for line in told(lines, "pod") if line["got"]["meeting"] == 1]
    second = first["got"] | {"uid": "second", "version": first["got"]["version"] + 1}
    insert(lines, first | {"got": second})
    insert(lines, last | {"got": second | {"live": False, "version": last["got"]["version"] + 1}})


def a_second_speaker(lines: list[Record]) -> None:
    """Two pods are answered in turn."""
    beats = Counter(line["got"]["meeting"] for line in told(lines, "callback", kind="heartbeat"))
    (meeting, count), *_ = beats.most_common(1)
    numbers = [line["op"] for line in told(lines, "callback", kind="heartbeat", meeting=meeting)]
    for line in lines:
        if "invoke" in line and line["op"] in numbers[2::2]:
            line["args"]["pod"] = "second"
    assert count > 4


CAP, ROOMS, PODS, PROMISED = "cap", "one bot in a room", "one pod", "201 then GET"
FORWARD, TERMINAL, IDS = "status forward", "terminal is final", "ids stand for one thing"
AUDIT, WEBHOOKS = "audit = observed", "webhooks = audit"

# The rule that must find it comes first; the others are those that cannot but notice as well.
FAULTS: tuple[tuple[Callable[[list[Record]], None], tuple[str, ...]], ...] = (
    (a_dropped_commit, (AUDIT, WEBHOOKS)),
    (a_lost_reservation, (AUDIT, WEBHOOKS)),
    (a_repeated_id, (IDS, AUDIT, PROMISED)),
    (a_skipped_webhook, (WEBHOOKS,)),
    (two_bots_in_one_room, (ROOMS,)),
    (a_status_that_goes_back, (FORWARD,)),
    (a_trail_that_goes_back, (FORWARD, AUDIT, WEBHOOKS)),
    (another_end, (TERMINAL, AUDIT)),
    (a_life_after_the_end, (TERMINAL,)),
    (a_trail_after_the_end, (TERMINAL, AUDIT, WEBHOOKS)),
    (a_promise_that_is_not_found, (PROMISED,)),
    (a_row_nobody_observed, (AUDIT,)),
    (a_change_that_is_not_in_the_trail, (AUDIT, WEBHOOKS, CAP)),
    (a_webhook_id_for_two_changes, (WEBHOOKS,)),
    (a_redelivery_with_other_bytes, (WEBHOOKS,)),
    (a_change_under_two_ids, (WEBHOOKS,)),
    (a_webhook_of_nothing, (WEBHOOKS,)),
    (a_second_pod, (PODS,)),
    (a_second_speaker, (PODS,)),
)


@pytest.mark.parametrize(("fault", "rules"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_fault_is_found_by_its_rule(fault: Callable[[list[Record]], None], rules: tuple[str, ...]) -> None:
    lines = a_history()
    fault(lines)
    broken = found(lines)
    assert rules[0] in broken
    assert broken.keys() <= set(rules), broken


def test_an_overlap_of_1_ms_in_the_trail_is_found() -> None:
    lines = a_history(cap=1, users=4)
    an_overlap_of_1_ms(lines)
    (finding,) = found(lines)[CAP]
    assert "held 2 slots of 1 for 1.000 ms, the audit trail says" in finding


def two_slots(*, begin: float) -> list[Record]:
    """A user with one slot, a first bot that was live at 2 s or later, and a second reserved at `begin` or before."""

    def at(moment: float, **fields: Any) -> Record:
        return {"at": moment, "wall": moment} | fields

    def asked(number: int, room: str, *, answered: float) -> list[Record]:
        args = {"user": 1, "platform": "jitsi", "native_id": room, "request": room}
        got = {"code": 201, "meeting": number, "status": "reserved", "replayed": False}
        return [
            at(answered - 0.1, op=number, actor="person", invoke="ask", args=args),
            at(answered, op=number, **{"return": "ok"}, got=got),
        ]

    def looked(number: int, meeting: int, *, begun: float) -> list[Record]:
        got = {"code": 200, "meeting": meeting, "status": "active", "reason": "joined"}
        return [
            at(begun, op=number, actor="reader", invoke="get", args={"user": 1, "meeting": meeting}),
            at(begun + 0.1, op=number, **{"return": "ok"}, got=got),
        ]

    lines = [
        at(0, actor="setup", see="user", got={"user": 1, "cap": 1}),
        *asked(1, "one", answered=1),
        *looked(3, 1, begun=2),
        *asked(2, "two", answered=begin),
        *looked(4, 2, begun=3),
    ]
    ordered = sorted(lines, key=lambda line: line["at"])
    return [at(0, history=1), *ordered, at(9, end=True)]


def test_an_overlap_of_1_ms_that_observers_saw_is_found() -> None:
    (finding,) = found(two_slots(begin=1.999))[CAP]
    assert "held 2 slots of 1 for 1.000 ms, observers saw" in finding


def test_a_slot_that_may_have_been_free_is_no_finding() -> None:
    assert CAP not in found(two_slots(begin=2.001))


def test_what_was_adopted_may_exceed_the_cap_and_counts_for_those_after_it() -> None:
    lines = a_history(cap=1, users=4)
    an_overlap_of_1_ms(lines)
    (finding,) = found(lines)[CAP]
    later = int(finding.rpartition(" ")[2].rstrip("."))
    trail(lines, later)[0]["source"] = "adoption"
    assert CAP not in found(lines)


def test_a_bot_that_is_dismissed_has_seen_the_end() -> None:
    lines = a_history()
    step = next(told(lines, "audit", source="reconciler"))
    failed = {line["op"] for line in told(lines, "get", status="failed", meeting=step["got"]["meeting"])}
    drop(lines, lambda line: line.get("op") in failed or shows_failed(line, step["got"]["meeting"]))
    assert found(lines).keys() == {AUDIT, WEBHOOKS}
    args = {"connection": step["got"]["connection"], "pod": "p", "kind": "heartbeat", "event": "late"}
    for fields in ({"actor": "bot", "invoke": "callback", "args": args}, {"return": "refused", "got": {"code": 410}}):
        insert(lines, {"at": step["at"], "wall": step["wall"], "op": 10**9} | fields)
    assert found(lines).keys() == {WEBHOOKS}


def shows_failed(line: Record, meeting: int) -> bool:
    got = line["got"] if line.get("see") in ("webhook", "botrequest") else {}
    return got.get("meeting") == meeting and "failed" in (got.get("phase"), got.get("to"))
