"""The IANA special-purpose address registries, and an oracle that judges by them with integers alone.

Source: iana-ipv4-special-registry and iana-ipv6-special-registry, both as updated on 2025-10-09, row by row. What they
leave out and nobody may dial either is below them. The oracle shares no code with `delivery/addresses.py`, not even the
parser of addresses.
"""

import socket
from collections.abc import Iterator
from typing import NamedTuple

IPV4_REGISTRY = (
    "0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32",
    "192.0.0.171/32", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.88.99.2/32",
    "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
    "255.255.255.255/32",
)  # fmt: skip
IPV6_REGISTRY = (
    "::1/128", "::/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23",
    "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48",
    "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    "5f00::/16", "fc00::/7", "fe80::/10",
)  # fmt: skip
MULTICAST_AND_OLD = ("224.0.0.0/4", "ff00::/8", "fec0::/10", "::/96")
METADATA = (
    "169.254.169.254", "169.254.170.2", "169.254.42.42", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42", "fd00:a9fe:a9fe::1", "fd00:c1::a9fe:a9fe",
    "fd00:100::100:200", "fe80::a9fe:a9fe",
)  # fmt: skip

# What an operator's `allow_networks` may open.
OPENABLE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "198.18.0.0/15",
            "::1/128", "fc00::/7")  # fmt: skip
# These wrap an IPv4 address: the range and how far right of it the address lies, in bits.
WRAPPERS = (("::ffff:0:0/96", 0), ("64:ff9b::/96", 0), ("2002::/16", 80))


class Span(NamedTuple):
    """A range of addresses of one width (32 or 128 bits), both ends included."""

    bits: int
    first: int
    last: int

    def holds(self, bits: int, number: int) -> bool:
        return bits == self.bits and self.first <= number <= self.last


def number_of(address: str) -> tuple[int, int]:
    """The address as its width in bits and its number."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    return len(packed) * 8, int.from_bytes(packed, "big")


def address_of(bits: int, number: int) -> str:
    family = socket.AF_INET6 if bits == 128 else socket.AF_INET
    return socket.inet_ntop(family, number.to_bytes(bits // 8, "big"))


def span(network: str) -> Span:
    address, _, prefix = network.partition("/")
    bits, first = number_of(address)
    return Span(bits, first, first | ((1 << (bits - int(prefix))) - 1))


_NEITHER = tuple(
    span(network)
    for network in (*IPV4_REGISTRY, *IPV6_REGISTRY, *MULTICAST_AND_OLD)
    if network not in {wrapper for wrapper, _ in WRAPPERS}
)
_METADATA = (*(span(f"{address}/{32 if '.' in address else 128}") for address in METADATA), span("fd00:ec2::/32"))
_OPENABLE = tuple(span(network) for network in OPENABLE)
_GLOBAL_UNICAST = span("2000::/3")


def may_be_dialled(address: str, *, everything_listed: bool) -> bool:
    """What the registries say, with no network listed or with all of them."""
    bits, number = number_of(address)
    for wrapper, shift in WRAPPERS:
        if span(wrapper).holds(bits, number):
            bits, number = 32, number >> shift & 0xFFFFFFFF
            break
    if any(metadata.holds(bits, number) for metadata in _METADATA):
        return False
    if any(openable.holds(bits, number) for openable in _OPENABLE):
        return everything_listed
    if any(special.holds(bits, number) for special in _NEITHER):
        return False
    return bits == 32 or _GLOBAL_UNICAST.holds(bits, number)


# The IPv4 address goes where the braces are, in hexadecimal: mapped, translated (NAT64) and 6to4.
WRAPPED = ("::ffff:{}", "64:ff9b::{}", "2002:{}::", "2002:{}::1")


def wrapped(address: str) -> Iterator[str]:
    """The address itself, and where it is IPv4 every IPv6 address that carries it."""
    yield address
    bits, number = number_of(address)
    if bits == 32:
        yield from (form.format(f"{number >> 16:x}:{number & 0xFFFF:x}") for form in WRAPPED)
