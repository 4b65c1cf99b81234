"""What the API server shows of pods and BotRequests, as it comes."""

from collections.abc import Callable

from tests.faults.harness.api import PODS, REQUESTS, Api, Json
from tests.faults.history.format import What
from tests.faults.history.recorder import Recorder
from usher_operator.kube.job import MEETING_LABEL

# A meeting of a user was seen.
Known = Callable[[int, int], None]
OVER = ("Succeeded", "Failed")


async def watch_pods(recorder: Recorder, api: Api, *, namespace: str) -> None:
    """See every pod of a namespace, for ever."""
    async for event in api.watch(PODS.format(namespace)):
        see_pod(recorder, event["object"], deleted=event["type"] == "DELETED")


def see_pod(recorder: Recorder, pod: Json, *, deleted: bool = False) -> None:
    """One version of a pod."""
    metadata = pod["metadata"]
    phase = (pod.get("status") or {}).get("phase", "")
    recorder.see(
        "pod watch",
        What.POD,
        uid=metadata["uid"],
        meeting=int(metadata["labels"][MEETING_LABEL]),
        live=not deleted and "deletionTimestamp" not in metadata and phase not in OVER,
        version=int(metadata["resourceVersion"]),
    )


async def watch_requests(recorder: Recorder, api: Api, known: Known, *, namespace: str) -> None:
    """See what every BotRequest shows, for ever."""
    async for event in api.watch(REQUESTS.format(namespace)):
        body = event["object"]
        status = body.get("status") or {}
        if status.get("meetingId") is not None:
            meeting = int(status["meetingId"])
            known(meeting, int(body["spec"]["userId"]))
            recorder.see("request watch", What.BOTREQUEST, meeting=meeting, phase=status.get("phase"))
