"""Where a webhook may go, as a table; every notation of a private address is on the wrong side of it."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher_operator.webhooks.guard import Guard, TargetRefused, is_public

PUBLIC = ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111"]

NOT_PUBLIC = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.216.34",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]

# As the operating system, or a lenient parser, would read them: 127.0.0.1, the metadata service, and so on.
DISGUISED = [
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://127.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.1./",
    "http://127.0.0.0x1/",
    "http://%31%32%37.0.0.1/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:127.0.0.1]:8080/",
    "http://[fe80::1%25eth0]/",
    "http://user:password@169.254.169.254/latest/meta-data",
]

WRONG = [
    "",
    "nonsense",
    "ftp://example.org/",
    "file:///etc/passwd",
    "http://",
    "https:///path",
    "//example.org",
    "http://[::1",
    "http://example.org:99999/",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert is_public(ip_address(address))
    Guard().check_addresses("example.org", [address])


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_others_may_not_by_name_nor_by_number(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(TargetRefused, match="has an address that is not public"):
        Guard().check_addresses("example.org", [address])
    with pytest.raises(TargetRefused, match="has an address that is not public"):
        Guard().check_url(f"https://[{address}]/" if ":" in address else f"https://{address}/")


@pytest.mark.parametrize("url", DISGUISED)
def test_no_disguise_helps(url: str) -> None:
    with pytest.raises(TargetRefused, match=r"not an address in its usual form|an address that is not public"):
        Guard().check_url(url)


@pytest.mark.parametrize("url", WRONG)
def test_what_is_no_target_is_refused(url: str) -> None:
    with pytest.raises(TargetRefused, match=r"cannot be read|is not http:// or https:// with a host"):
        Guard().check_url(url)


@pytest.mark.parametrize("url", ["http://example.org/hook", "https://example.org/hook", "https://93.184.216.34:8443/"])
def test_a_public_url_of_either_scheme_is_a_target(url: str) -> None:
    assert str(Guard().check_url(url)) == url


def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(TargetRefused, match="has an address that is not public"):
        Guard().check_addresses("example.org", [*PUBLIC, "10.0.0.1"])


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(TargetRefused, match="has no address"):
        Guard().check_addresses("example.org", [])


@given(st.ip_addresses())
def test_no_address_of_a_private_network_is_public(address: IPv4Address | IPv6Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_private


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_another_is_never_public(address: IPv4Address) -> None:
    for prefix in ("::ffff:0:0", "64:ff9b::", "::"):
        assert not is_public(IPv6Address(int(ip_address(prefix)) | int(address)))


@given(st.integers(min_value=0, max_value=2**32 - 1), st.sampled_from(["{}", "{:#x}", "0{:o}"]))
def test_no_bare_number_is_a_target(number: int, notation: str) -> None:
    with pytest.raises(TargetRefused, match="not an address in its usual form"):
        Guard(["0.0.0.0/0", "*.example.org"]).check_url(f"http://{notation.format(number)}/")


@pytest.mark.parametrize("allowed", ["10.0.0.0/8", "10.1.2.3", "*.svc.cluster.local"])
def test_the_operator_may_allow_more(allowed: str) -> None:
    guard = Guard([allowed])
    guard.check_addresses("hooks.team.svc.cluster.local", ["10.1.2.3"])
    with pytest.raises(TargetRefused, match="has an address that is not public"):
        guard.check_addresses("example.org", ["192.168.0.1"])


def test_a_glob_allows_names_and_not_their_lookalikes() -> None:
    guard = Guard(["*.svc.cluster.local"])
    guard.check_addresses("HOOKS.svc.cluster.local.", ["10.1.2.3"])
    with pytest.raises(TargetRefused, match="has an address that is not public"):
        guard.check_addresses("hooks.svc.cluster.local.example.org", ["10.1.2.3"])


def test_a_network_allows_its_literal_addresses() -> None:
    assert Guard(["127.0.0.0/8"]).check_url("http://127.0.0.1:8080/hook").port == 8080
    assert ip_address("127.0.0.1") in ip_network("127.0.0.0/8")
