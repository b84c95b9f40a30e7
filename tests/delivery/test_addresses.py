"""The table of addresses, row by row, and against the registries it comes from."""

import ipaddress
import random
from ipaddress import ip_network

import pytest

from rollback_audit.delivery.addresses import NEVER, OPENABLE, may_dial
from tests.delivery import registries
from tests.delivery.registries import address_of, may_be_dialled, number_of, span, wrapped

EVERYTHING = ("0.0.0.0/0", "::/0")
SEED = 6890
ROWS = (*registries.IPV4_REGISTRY, *registries.IPV6_REGISTRY, *registries.MULTICAST_AND_OLD)


def assert_judged_as_the_registries_do(address: str) -> None:
    for spelling in wrapped(address):
        assert may_dial(spelling, allow_networks=()) is may_be_dialled(spelling, everything_listed=False), spelling
        listed = may_be_dialled(spelling, everything_listed=True)
        assert may_dial(spelling, allow_networks=EVERYTHING) is listed, spelling


@pytest.mark.parametrize("row", ROWS)
def test_every_special_range_is_judged_as_its_registry_does_on_both_sides_of_both_edges(row: str) -> None:
    bits, first, last = span(row)
    for number in (first - 1, first, (first + last) // 2, last, last + 1):
        if 0 <= number < 1 << bits:
            assert_judged_as_the_registries_do(address_of(bits, number))


def test_every_row_of_the_registries_is_closed_until_something_is_listed() -> None:
    closed = [row for row in ROWS if row not in {wrapper for wrapper, _ in registries.WRAPPERS}]
    assert [row for row in closed if may_dial(address_of(*span(row)[:2]), allow_networks=())] == []


@pytest.mark.parametrize("address", registries.METADATA)
def test_metadata_is_never_dialled_in_any_wrapping(address: str) -> None:
    for spelling in wrapped(address):
        assert not may_dial(spelling, allow_networks=(*EVERYTHING, f"{address}/{number_of(address)[0]}"))


@pytest.mark.parametrize("address", ["fe80::1", "::1", "::ffff:127.0.0.1", "fd12::1", "2606:4700::1111"])
@pytest.mark.parametrize("zone", ["eth0", "1", "lo"])
def test_an_address_with_a_zone_is_never_dialled(address: str, zone: str) -> None:
    assert not may_dial(f"{address}%{zone}", allow_networks=EVERYTHING)


def test_teredo_is_never_dialled_whatever_addresses_it_carries() -> None:
    for server, client in (("8.8.8.8", "8.8.4.4"), ("8.8.8.8", "127.0.0.1"), ("169.254.169.254", "10.0.0.1")):
        carried = number_of(server)[1] << 64 | number_of(client)[1] ^ 0xFFFFFFFF
        assert not may_dial(address_of(128, number_of("2001::")[1] | carried), allow_networks=EVERYTHING)


def drawn(draw: random.Random) -> str:
    """An address, mostly in or near a special range: at random over all of them nearly none would be."""
    if draw.random() < 0.2:
        bits = draw.choice((32, 128))
        return address_of(bits, draw.getrandbits(bits))
    if draw.random() < 0.1:
        return address_of(128, number_of("2000::")[1] | draw.getrandbits(125))
    bits, first, last = span(draw.choice((*ROWS, *(f"{address}/24" for address in registries.METADATA[:6]))))
    if draw.random() < 0.5:
        return address_of(bits, draw.randint(first, last))
    return address_of(bits, (draw.choice((first, last)) + draw.randint(-300, 300)) % (1 << bits))


def test_twenty_thousand_addresses_are_judged_as_the_registries_do() -> None:
    print("seed", SEED)
    draw = random.Random(SEED)
    for _ in range(20_000):
        assert_judged_as_the_registries_do(drawn(draw))


def test_nothing_that_python_calls_special_is_dialled_without_being_listed() -> None:
    print("seed", SEED)
    draw = random.Random(SEED)
    for _ in range(20_000):
        address = ipaddress.ip_address(drawn(draw))
        carries_another = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
        if not address.is_global and not carries_another:
            assert not may_dial(str(address), allow_networks=()), address


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
