"""The table of addresses, row by row."""

from ipaddress import ip_network

import pytest

from rollback_audit.delivery.addresses import NEVER, OPENABLE, may_dial

EVERYTHING = ("0.0.0.0/0", "::/0")


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "9.255.255.255", "11.0.0.0",
     "223.255.255.255", "198.17.255.255", "198.20.0.0", "192.0.1.0", "2606:4700::1111", "2a00:1450::1", "2001:200::1",
     "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"],
)  # fmt: skip
def test_public_addresses_may_be_dialled(address: str) -> None:
    assert may_dial(address, allow_networks=())


@pytest.mark.parametrize("network", OPENABLE)
def test_the_edges_of_an_openable_range_are_closed_until_it_is_listed(network: str) -> None:
    for edge in (ip_network(network)[0], ip_network(network)[-1]):
        assert not may_dial(str(edge), allow_networks=())
        assert may_dial(str(edge), allow_networks=(network,))


@pytest.mark.parametrize("network", NEVER)
def test_the_edges_of_the_other_ranges_stay_closed_whatever_is_listed(network: str) -> None:
    for edge in (ip_network(network)[0], ip_network(network)[-1]):
        assert not may_dial(str(edge), allow_networks=(network, *EVERYTHING))


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16",
     "0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "ff02::1", "100::1", "5f00::1", "4000::1", "2001::1", "::7f00:1",
     "2001:20::1", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1",
     "0:0:0:0:0:ffff:e000:1"],
)  # fmt: skip
def test_special_addresses_stay_closed_when_every_network_is_listed(address: str) -> None:
    assert not may_dial(address, allow_networks=EVERYTHING)


@pytest.mark.parametrize(
    "address", ["::ffff:127.0.0.1", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "2002:a01:203::1", "2002:7f00:1::"]
)
def test_an_address_with_another_inside_is_judged_as_that_one(address: str) -> None:
    assert not may_dial(address, allow_networks=())
    assert not may_dial(address, allow_networks=("::/0",))
    assert may_dial(address, allow_networks=("127.0.0.0/8", "10.1.2.0/24"))


def test_a_listed_network_opens_no_more_than_itself() -> None:
    assert may_dial("10.1.2.3", allow_networks=("10.1.2.0/24",))
    assert not may_dial("10.1.3.3", allow_networks=("10.1.2.0/24",))
    assert not may_dial("192.168.0.1", allow_networks=("10.0.0.0/8",))


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0x7f000001", "2130706433", "1.2.3.4.5", "8.8.8.8 ", "::1/128"]
)
def test_what_is_not_a_literal_address_may_not_be_dialled(text: str) -> None:
    assert not may_dial(text, allow_networks=EVERYTHING)
