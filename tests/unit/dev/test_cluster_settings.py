"""The cluster's configuration: pure functions from settings to what each component is told."""

import json
import re
from pathlib import Path

import pytest

from dev.cluster import binaries, components, control_plane, dns, node, pki, settings, toolchain
from dev.cluster.config_files import ConfigFile
from dev.cluster.settings import Settings

CACHE = Path("/cache")


@pytest.fixture
def own() -> Settings:
    return Settings(cache=CACHE)


def flags(component: str, own: Settings) -> dict[str, str]:
    argv = components.component(own, component).process.argv[1:]
    return dict(flag.removeprefix("--").split("=", 1) for flag in argv)


def test_the_cache_moves_with_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("USHER_CACHE", str(tmp_path))
    moved = settings.load()
    assert moved.state == tmp_path / "cluster" / "local"
    assert moved.run != Settings(cache=CACHE).run


@pytest.mark.parametrize("name", components.NAMES)
def test_each_component_carries_the_marker_it_is_found_by(name: str, own: Settings) -> None:
    process = components.component(own, name).process
    assert any(process.marker in argument for argument in process.argv[1:])


def test_nothing_listens_beyond_loopback_and_the_bridge(own: Settings) -> None:
    assert flags("apiserver", own)["bind-address"] == own.node_ip
    assert flags("etcd", own)["listen-client-urls"].startswith("http://127.0.0.1:")
    for name in ("controller-manager", "scheduler"):
        assert flags(name, own)["bind-address"] == "127.0.0.1"
    assert node.kubelet_configuration(own)["address"] == own.node_ip
    assert f"bind {own.node_ip}" in dns.corefile(own)


def test_the_audit_log_is_bounded_and_counts_service_accounts(own: Settings) -> None:
    told = flags("apiserver", own)
    assert told["audit-log-path"] == str(own.audit_log)
    assert int(told["audit-log-maxsize"]) * (int(told["audit-log-maxbackup"]) + 1) <= 200
    policy = control_plane.audit_policy().text
    assert "omitStages: [RequestReceived]" in policy
    assert policy.index("system:serviceaccounts:kube-system") < policy.index('"system:serviceaccounts"')


def test_a_configuration_file_is_named_after_its_content(own: Settings) -> None:
    one, other = ConfigFile("kubelet.yaml", "a"), ConfigFile("kubelet.yaml", "b")
    assert one.path(own) != other.path(own)
    assert re.fullmatch(r"kubelet-[0-9a-f]{8}\.yaml", one.path(own).name)


def test_writing_a_configuration_file_again_leaves_it_alone(tmp_path: Path) -> None:
    own = Settings(cache=tmp_path)
    file = ConfigFile("kube-proxy.yaml", "a")
    file.write(own)
    before = file.path(own).stat().st_mtime_ns
    file.write(own)
    assert file.path(own).stat().st_mtime_ns == before


def test_the_pods_network_is_the_bridges(own: Settings) -> None:
    network = json.loads(json.dumps(node.network(own)))
    [bridge] = network["plugins"]
    assert bridge["bridge"] == own.bridge
    assert bridge["ipam"]["ranges"] == [[{"subnet": own.pod_cidr, "gateway": own.node_ip}]]


def test_the_certificates_name_the_addresses_that_are_called(own: Settings) -> None:
    names = {identity.user: identity.names for identity in pki.identities(own)}
    for wanted in ("IP:10.96.0.1", f"IP:{own.node_ip}", "DNS:kubernetes.default.svc"):
        assert wanted in names["apiserver"].split(",")
    assert f"IP:{own.node_ip}" in names["kubelet"].split(",")


def test_a_question_and_its_answers() -> None:
    question = dns.question("web.probe.svc.cluster.local")
    assert question.endswith(b"\x03web\x05probe\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01")
    found = question[:2] + b"\x85\x80\x00\x01\x00\x01\x00\x00\x00\x00"
    unknown = question[:2] + b"\x85\x83\x00\x01\x00\x00\x00\x00\x00\x00"
    assert dns.has_answer(found)
    assert not dns.has_answer(unknown)
    assert not dns.has_answer(b"\0\0" + found[2:])
    assert not dns.has_answer(b"")


def test_kubernetes_is_stamped_with_the_pinned_version() -> None:
    assert re.fullmatch(r"v1\.\d+\.\d+", binaries.kubernetes_version())


def test_a_build_is_keyed_by_what_it_is_made_from(own: Settings, tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.25.0\n")
    build = binaries.Build(name="x", module=tmp_path, target=".", usually="")
    before = binaries.folder(own, build)
    assert before == binaries.folder(own, build)
    (tmp_path / "go.sum").write_text("changed\n")
    assert binaries.folder(own, build) != before


@pytest.mark.parametrize(("text", "version"), [("module x\n\ngo 1.26.0\n", (1, 26)), ("module x\n", (0, 0))])
def test_the_needed_go_is_read_from_the_module(text: str, version: tuple[int, int]) -> None:
    assert toolchain.needed_version(text) == version


@pytest.mark.parametrize("module", [build.module for build in binaries.ALL])
def test_module_files_hold_no_address_of_a_registry_or_machine(module: Path) -> None:
    for path in module.glob("go.*"):
        text = path.read_text()
        assert "://" not in text
        assert not re.search(r"(^|\s)/\w", text)
