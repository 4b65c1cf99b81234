"""What is kept of listed objects: all that a sweep asks for, and nothing that only makes it large."""

import orjson
import pytest
from pydantic import ValidationError

from tests.fakes.objects import COMPLETE, a_botrequest, a_job
from usher_operator.kube import list_shapes
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job_status import connection_id_of, finished, meeting_id_of

MANAGED = [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]


def page(*items: dict[str, object], **metadata: object) -> bytes:
    for item in items:
        item["metadata"]["managedFields"] = MANAGED  # type: ignore[index]
    return orjson.dumps({"kind": "List", "metadata": {"resourceVersion": "1", **metadata}, "items": items})


def test_a_job_keeps_who_it_is_and_how_it_is_and_loses_its_spec() -> None:
    job = a_job(condition=COMPLETE)
    job["spec"] = {"template": {"spec": {"containers": [{"name": "bot"}]}}}
    (kept,) = list_shapes.WORKLOADS.validate_json(page(job))["items"]
    assert (meeting_id_of(kept), connection_id_of(kept)) == (meeting_id_of(job), connection_id_of(job))
    assert finished(kept)
    assert kept["metadata"].keys() < job["metadata"].keys()
    assert kept["spec"] == {}


def test_a_pod_keeps_the_node_it_runs_on_and_its_whole_status() -> None:
    status = {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 137}}}]}
    pod = {"metadata": {"name": "bot-1-x"}, "spec": {"nodeName": "node-1", "containers": []}, "status": status}
    (kept,) = list_shapes.WORKLOADS.validate_json(page(pod))["items"]
    assert kept == {"metadata": {"name": "bot-1-x"}, "spec": {"nodeName": "node-1"}, "status": status}


@pytest.mark.parametrize("status", [None, {"phase": "active", "message": "It is.", "conditions": []}])
def test_a_botrequest_is_the_same_as_if_all_of_it_had_been_kept(status: dict[str, object] | None) -> None:
    made = a_botrequest("standup", status=status, desiredState="Left")
    (kept,) = list_shapes.REQUESTS.validate_json(page(made))["items"]
    assert BotRequest.from_object(kept) == BotRequest.from_object(made)


def test_a_refusal_is_kept_for_the_generation_that_was_refused() -> None:
    condition = {
        "type": "Accepted",
        "status": "False",
        "observedGeneration": 1,
        "message": "No.",
        "reason": "CapReached",
    }
    made = a_botrequest("standup", status={"phase": "refused", "conditions": [condition]})
    (kept,) = list_shapes.REQUESTS.validate_json(page(made))["items"]
    assert BotRequest.from_object(kept).refused
    assert kept["status"]["conditions"] == [{"type": "Accepted", "status": "False", "observedGeneration": 1}]


def test_a_page_says_where_the_list_goes_on_and_may_be_empty() -> None:
    assert list_shapes.EVENTS.validate_json(page(**{"continue": "there"}))["metadata"] == {"continue": "there"}
    assert list_shapes.EVENTS.validate_json(b'{"metadata": {}, "items": null}')["items"] is None


def test_what_is_no_list_is_told_apart() -> None:
    with pytest.raises(ValidationError):
        list_shapes.WORKLOADS.validate_json(b"<html>A proxy speaks.</html>")
