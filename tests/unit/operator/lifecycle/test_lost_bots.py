"""Which Jobs run without a row, and why one of them is left."""

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.objects import FAILED_BY_POLICY, a_botrequest
from usher_models.db.adoptions import Obstacle
from usher_models.db.known_ids import MOST_ID
from usher_operator.kube.botrequest import BotRequest
from usher_operator.lifecycle.lost_bots import SENTENCES, Left, LostBot, highest_ids, without_row

REQUEST = replace(BotRequest.from_object(a_botrequest("standup")), phase="active", observed_generation=1)


def a_job(**metadata: Any) -> dict[str, Any]:
    labels = {"usher.dev/meeting-id": "7", "usher.dev/user-id": "3", "usher.dev/installation": "mine"}
    whole = {
        "name": "bot-7",
        "labels": labels,
        "annotations": {"usher.dev/connection-id": REQUEST.connection_id},
        "ownerReferences": [{"uid": REQUEST.uid}],
    }
    return {"metadata": whole | metadata}


def found(job: dict[str, Any], *, request: BotRequest | None = REQUEST) -> LostBot:
    (lost,) = without_row([job], {request.connection_id: request} if request else {}, rows=set())
    return lost


def test_a_job_with_a_row_is_not_lost() -> None:
    assert list(without_row([a_job()], {}, rows={REQUEST.connection_id})) == []


def test_a_job_that_names_no_connection_is_not_looked_at() -> None:
    assert list(without_row([a_job(annotations={})], {}, rows=set())) == []


def test_a_job_of_a_living_request_can_be_adopted() -> None:
    lost = found(a_job())
    assert (lost.left, lost.user_id, lost.runs) == (None, 3, True)


@pytest.mark.parametrize(
    ("job", "request_", "left"),
    [
        (a_job(), None, Left.REQUEST_GONE),
        (a_job(deletionTimestamp="2026-01-01T12:00:00Z"), REQUEST, Left.JOB_DELETED),
        (a_job(), replace(REQUEST, deleting=True), Left.REQUEST_DELETED),
        (a_job(), replace(REQUEST, phase="completed"), Left.REQUEST_OVER),
        (a_job(ownerReferences=[{"uid": "another"}]), REQUEST, Left.NOT_OF_REQUEST),
        (a_job(labels={"usher.dev/user-id": "3"}), REQUEST, Left.ID_UNKNOWN),
    ],
)
def test_each_cause_to_leave_a_job_has_its_name(job: dict[str, Any], request_: BotRequest | None, left: Left) -> None:
    assert found(job, request=request_).left is left


def test_a_job_that_has_ended_does_not_run() -> None:
    assert not found(a_job() | {"status": {"conditions": [{"status": "True"} | FAILED_BY_POLICY]}}).runs


def test_every_cause_has_a_sentence() -> None:
    assert set(SENTENCES) == {*Left, *Obstacle}


def test_the_highest_ids_are_of_jobs_and_requests_and_within_reason() -> None:
    odd = a_job(labels={"usher.dev/meeting-id": str(MOST_ID + 1), "usher.dev/user-id": "5"})
    assert highest_ids([a_job(), odd], [replace(REQUEST, meeting_id=12)]) == (12, 5)
    assert highest_ids([], []) == (0, 0)
