"""The conference of the cluster: what bots are told of it is what the driver, the chart and the operator take."""

from dev.conference import chart_values
from dev.conference.settings import for_cluster, load
from usher_bot.drivers.browser.options import BrowserOptions
from usher_models.platforms import resolve

PIN = "q" * 43 + "="


def test_the_driver_takes_the_options() -> None:
    options = chart_values.values(for_cluster(), pin=PIN)["bot"]["browser"]["options"]
    taken = BrowserOptions.model_validate(options)
    assert [flag.partition("=")[0] for flag in taken.flags] == [
        "--host-resolver-rules",
        "--ignore-certificate-errors-spki-list",
    ]
    assert [sink.kind for sink in taken.sinks] == ["websocket"]


def test_bots_may_join_its_rooms() -> None:
    hosts = chart_values.values(for_cluster(), pin=PIN)["settings"]["USHER_ALLOWED_PRIVATE_MEETING_HOSTS"]
    room = f"planning@{chart_values.HOST}"
    meeting = resolve(platform="jitsi", native_id=room, url=None, passcode=None, allowed_private_hosts=[hosts])
    assert meeting.url == f"https://{chart_values.HOST}/planning"


def test_the_two_conferences_share_no_port_and_no_state() -> None:
    loopback, cluster = load(), for_cluster()
    ports = [{getattr(each, name) for name in vars(each) if name.endswith("_port")} for each in (loopback, cluster)]
    assert not ports[0] & ports[1]
    assert loopback.livekit_config != cluster.livekit_config
    assert loopback.recordings != cluster.recordings
