"""Which addresses may be dialled, judged on the address itself and never on a name.

Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190) as updated on 2025-10-09, plus
multicast and the metadata addresses of the large clouds. Rows that the registries call globally reachable (anycast
relays, AS112) are closed too: no receiver lives there. The table is ours because `ipaddress.is_private` misses rows and
moves between Python releases.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# An operator may list these (or parts of them): receivers do live there.
OPENABLE = (
    "10.0.0.0/8",  # private use, RFC 1918
    "172.16.0.0/12",  # private use, RFC 1918
    "192.168.0.0/16",  # private use, RFC 1918
    "100.64.0.0/10",  # shared address space (carrier NAT), RFC 6598
    "127.0.0.0/8",  # loopback, RFC 1122
    "198.18.0.0/15",  # benchmarking, RFC 2544
    "::1/128",  # loopback, RFC 4291
    "fc00::/7",  # unique local, RFC 4193
)

# Nothing opens these.
NEVER = (
    "0.0.0.0/8",  # this network, RFC 791
    "169.254.0.0/16",  # link local, RFC 3927; cloud metadata
    "192.0.0.0/24",  # IETF protocol assignments, RFC 6890; 192.0.0.192 is Oracle's metadata
    "192.0.2.0/24",  # documentation, RFC 5737
    "192.31.196.0/24",  # AS112, RFC 7535
    "192.52.193.0/24",  # AMT, RFC 7450
    "192.88.99.0/24",  # 6to4 relay anycast, RFC 7526
    "192.175.48.0/24",  # AS112, RFC 7534
    "198.51.100.0/24",  # documentation, RFC 5737
    "203.0.113.0/24",  # documentation, RFC 5737
    "224.0.0.0/4",  # multicast, RFC 5771
    "240.0.0.0/4",  # reserved, RFC 1112; holds 255.255.255.255
    "100.100.100.200/32",  # Alibaba's metadata, inside carrier NAT
    "168.63.129.16/32",  # Azure's host, inside public space
    "64:ff9b:1::/48",  # local-use translation, RFC 8215; where its IPv4 address hides, only the site knows
    "fe80::/10",  # link local, RFC 4291
    "fec0::/10",  # site local, RFC 3879
    "fd00:ec2::/32",  # Amazon's metadata and its neighbours, inside unique local
    "fd00:c1::a9fe:a9fe/128",  # Oracle's metadata, inside unique local
    "fd00:100::100:200/128",  # Alibaba's metadata, inside unique local
    "fd20:ce::254/128",  # Google's metadata, inside unique local
    "fd00:42::42/128",  # Scaleway's metadata, inside unique local
    "fd00:a9fe:a9fe::1/128",  # Akamai's (Linode's) metadata, inside unique local
    "2001::/23",  # IETF protocol assignments, RFC 2928: Teredo, benchmarking, ORCHID, DRIP
    "2001:db8::/32",  # documentation, RFC 3849
    "2620:4f:8000::/48",  # AS112, RFC 7534
    "3fff::/20",  # documentation, RFC 9637
    "ff00::/8",  # multicast, RFC 4291
)

GLOBAL_UNICAST = ip_network("2000::/3")
_MAPPED = ip_network("::ffff:0:0/96")
_TRANSLATED = ip_network("64:ff9b::/96")
_SIX_TO_FOUR = ip_network("2002::/16")

_openable: tuple[Network, ...] = tuple(ip_network(text) for text in OPENABLE)
_never: tuple[Network, ...] = tuple(ip_network(text) for text in NEVER)


@lru_cache(maxsize=256)
def networks(listed: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks that the texts name. ValueError for a text that is none, or that has host bits set."""
    return tuple(ip_network(text) for text in listed)


def may_dial(address: str, *, allow_networks: Sequence[str]) -> bool:
    """Whether a connection to this literal address is allowed; False for anything that is not a literal address.

    `allow_networks` (CIDRs) open private, shared, loopback and benchmarking ranges. They open neither link-local nor
    metadata, documentation, multicast or reserved ranges. Mapped, translated (NAT64) and 6to4 addresses are judged as
    the IPv4 address inside. An address with a zone (`fe80::1%eth0`) names a link of this machine and is refused.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
        return False
    return _permitted(_innermost(parsed), networks(tuple(allow_networks)))


def _permitted(address: Address, allowed: tuple[Network, ...]) -> bool:
    if any(address in network for network in _never):
        return False
    if any(address in network for network in _openable):
        return any(address in network for network in allowed)
    # All of IPv6 outside 2000::/3 is reserved or special; IPv4 has no such line.
    return isinstance(address, IPv4Address) or address in GLOBAL_UNICAST


def _innermost(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _MAPPED or address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address
